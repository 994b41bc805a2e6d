//! What a host allows, and what all requests to it share.

use super::*;

#[tokio::test]
async fn what_one_request_is_told_counts_for_all_to_that_host() {
    let server = Server::hostile(|request| match request.uri().path() {
        "/v2/busy/manifests/latest" => answer(429, &[("retry-after", "3600")], ""),
        _ => answer(404, &[], ""),
    })
    .await;
    let remote = crate::testing::remote(Anonymous);
    let store = |name: &str| {
        remote.repository(&format!("{}/{name}", server.host).parse().unwrap()).unwrap()
    };
    assert_eq!(store("other").resolve(&latest()).await.unwrap(), None);
    let refused = store("busy").resolve(&latest()).await.unwrap_err();
    assert!(refused.to_string().ends_with(": 429 Too Many Requests"), "{refused}");
    let error = store("other").resolve(&latest()).await.unwrap_err();
    assert!(error.to_string().contains("the host wants no requests for 3"), "{error}");
    let fault = Fault::from(error);
    assert_eq!((fault.kind, fault.retry), (Kind::Transient, true));
    assert!(fault.help.unwrap().contains(", or give the host a credential"));
    assert_eq!(server.log.count(), "HEAD 2");
}

#[tokio::test]
async fn an_absurd_retry_after_is_not_believed() {
    for absurd in ["-5", "99999999999", "soon", "0.001", "Sun, 22 Nov 2020 20:00:00 GMT"] {
        let asked = Arc::new(AtomicUsize::new(0));
        let server = Server::hostile(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => answer(429, &[("retry-after", absurd)], ""),
            _ => answer(404, &[], ""),
        })
        .await;
        assert_eq!(server.repository("a").resolve(&latest()).await.unwrap(), None, "{absurd}");
    }
}

#[tokio::test]
async fn more_transfers_than_there_is_room_for_wait_and_all_arrive() {
    let server = Server::registry(MemoryRegistry::new()).await;
    let remote = crate::testing::remote(Anonymous);
    let store = |name: &str| {
        remote.repository(&format!("{}/{name}", server.host).parse().unwrap()).unwrap()
    };
    let (from, to) = (store("from"), store("to"));
    let copies = (0..60_u64).map(|seed| {
        let (from, to) = (from.clone(), to.clone());
        async move {
            let bytes = content(seed, 100_000);
            let blob = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
            from.push_blob(&blob, &bytes, None).await.unwrap();
            let source = Source(from, blob.clone());
            to.push_blob(&blob, &source, None).await.unwrap();
        }
    });
    futures::future::join_all(copies).await;
    assert_eq!(server.log.count(), "GET 60, POST 120, PUT 120");
}
