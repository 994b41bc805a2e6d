use report::Kind;

use super::*;
use crate::{AccessFlags, Alphabet, Expected, Level, Redirects, Request};

#[tokio::test]
async fn a_plugin_that_describes_itself_has_nothing() {
    let nothing = Granted::nothing();
    let request = Request {
        method: "GET".to_owned(),
        url: "http://127.0.0.1/".to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        redirects: Redirects::Follow,
        timeout_ms: None,
    };
    let pull = AccessFlags { pull: true, ..AccessFlags::default() };
    let secret = nothing.secrets.generate(8, Alphabet::Hex).unwrap();
    for fault in [
        nothing.http.send(request).await.unwrap_err(),
        nothing.oci.open("alpine", pull).await.err().unwrap(),
        nothing.secrets.get("a").await.unwrap_err(),
        nothing.secrets.put("a", &secret).await.unwrap_err(),
        nothing.secrets.reveal(&secret).err().unwrap(),
        nothing.state.get("k").await.unwrap_err(),
        nothing.state.delete("k", Expected::Anything).await.unwrap_err(),
        nothing.workspace.read("a").await.unwrap_err(),
        nothing.workspace.write("a", Vec::new()).await.unwrap_err(),
    ] {
        assert_eq!(fault.kind, Kind::Denied, "{fault}");
    }
    assert!(nothing.workspace.preopens().unwrap().is_empty());
    nothing.log.emit(Level::Info, "heard by nobody", &[]);
}
