//! Lists in pages: whole, or an error.

use super::*;

/// A registry whose page `n` links to what `next` says.
async fn paged(next: impl Fn(usize) -> Option<usize> + Clone + Send + Sync + 'static) -> Server {
    Server::hostile(move |request| {
        let query = request.uri().query().unwrap_or_default();
        let page = query.split('&').find_map(|pair| pair.strip_prefix("page="));
        let page: usize = page.map_or(0, |page| page.parse().unwrap());
        let path = request.uri().path();
        let link = next(page).map(|next| format!("<{path}?page={next}>; rel=\"next\""));
        let headers: Vec<_> = link.iter().map(|link| ("link", link.as_str())).collect();
        let body = match path.contains("/referrers/") {
            true => r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(),
            false => format!(r#"{{"tags":["t{page:05}"]}}"#),
        };
        answer(200, &headers, body)
    })
    .await
}

async fn problems(server: &Server) -> [String; 2] {
    let store = server.repository("a");
    let tags = store.tags(None, usize::MAX).await.unwrap_err();
    let referrers = store.referrers(&missing(), None).await.unwrap_err();
    [tags, referrers].map(|error| {
        assert_eq!(error.kind(), Kind::Failed, "{error}");
        error.to_string()
    })
}

#[tokio::test]
async fn a_list_without_an_end_is_an_error() {
    let server = paged(|page| Some(page + 1)).await;
    for problem in problems(&server).await {
        assert!(problem.ends_with("the list has more than 1000 pages"), "{problem}");
    }
    assert_eq!(server.log.count(), "GET 2002");
    // Who wants no more than there is does not ask to the end.
    assert_eq!(server.repository("a").tags(None, 3).await.unwrap(), ["t00000", "t00001", "t00002"]);
    assert_eq!(server.log.count(), "GET 3");
}

#[tokio::test]
async fn pages_that_lead_in_a_circle_are_an_error() {
    let server = paged(|page| Some((page + 1) % 3)).await;
    for problem in problems(&server).await {
        assert!(problem.ends_with("the pages of the list lead in a circle"), "{problem}");
    }
    // The first page has two addresses.
    assert_eq!(server.log.count(), "GET 10");
}

#[tokio::test]
async fn a_list_in_another_order_is_read_to_its_end() {
    // In the order of pushes; `last` is the place in that order.
    let pushed = ["v1", "v3", "v2", "v0"];
    let server = Server::hostile(move |request| {
        let query = request.uri().query().unwrap_or_default();
        let last = query.split('&').find_map(|pair| pair.strip_prefix("last="));
        let at = last.map_or(0, |last| pushed.iter().position(|tag| *tag == last).unwrap() + 1);
        let page = &pushed[at..(at + 2).min(4)];
        let link =
            format!("<{}?last={}>; rel=\"next\"", request.uri().path(), page.last().unwrap());
        let headers = [("link", link.as_str())];
        let headers = if at + 2 < 4 { &headers[..] } else { &[] };
        answer(200, headers, serde_json::json!({ "tags": page }).to_string())
    })
    .await;
    let store = server.repository("a");
    assert_eq!(store.tags(None, 100).await.unwrap(), ["v0", "v1", "v2", "v3"]);
    assert_eq!(store.tags(Some("v1"), 100).await.unwrap(), ["v2", "v3"]);
}
