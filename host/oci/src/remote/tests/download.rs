//! Downloads that break, and answers to the question for the rest.

use super::*;

const SIZE: usize = 200_000;

/// The first byte that is asked for.
fn first_of(request: &Request) -> usize {
    let range = header(request, "range").trim_start_matches("bytes=");
    range.split('-').next().unwrap().parse().unwrap_or(0)
}

/// Reads a blob whose first answer breaks at 70,000; `rest` answers the others.
async fn read(
    rest: impl Fn(&Request, &Bytes) -> Response + Clone + Send + Sync + 'static,
) -> (Result<Bytes, Error>, Vec<String>) {
    let whole = content(1, SIZE);
    let (body, asked) = (whole.clone(), Arc::new(AtomicUsize::new(0)));
    let server = Server::hostile(move |request| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => cut(&body, 70_000),
        _ => rest(request, &body),
    })
    .await;
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &whole);
    let found = server.repository("a").blob(&blob).await.unwrap().collect(u64::MAX).await;
    if let Ok(found) = &found {
        assert_eq!(*found, whole);
    }
    (found, server.log.take())
}

fn part(range: &str, bytes: Bytes) -> Response {
    answer(206, &[("content-range", range)], bytes)
}

#[tokio::test]
async fn several_breaks_in_one_download_cost_one_request_each() {
    let (found, asked) = read(|request, body| {
        let first = first_of(request);
        let mut response = cut(&body.slice(first..), 50_000.min(SIZE - first));
        *response.status_mut() = http::StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {first}-{}/{SIZE}", SIZE - 1);
        response.headers_mut().insert("content-range", range.parse().unwrap());
        response
    })
    .await;
    // At 70,000, at 120,000, and at 170,000.
    assert_eq!((found.is_ok(), asked.len()), (true, 4));
}

#[tokio::test]
async fn the_whole_instead_of_the_rest_is_read_from_where_it_broke() {
    let (found, asked) = read(|_, body| answer(200, &[], body.clone())).await;
    assert_eq!((found.is_ok(), asked.len()), (true, 2));
}

#[tokio::test]
async fn a_part_that_begins_earlier_or_ends_earlier_is_used() {
    let earlier = |_: &Request, body: &Bytes| part("bytes 10-199999/*", body.slice(10..));
    assert_eq!(read(earlier).await.1.len(), 2);
    let (found, asked) = read(|request, body| {
        let first = first_of(request);
        let end = (first + 100_000).min(SIZE);
        part(&format!("bytes {first}-{}/{SIZE}", end - 1), body.slice(first..end))
    })
    .await;
    assert_eq!((found.is_ok(), asked.len()), (true, 3));
}

#[tokio::test]
async fn another_part_than_was_asked_for_is_not_believed() {
    for range in [
        "bytes 70001-199999/200000",
        "bytes 0-69999/200000",
        "bytes 70000-199999/300000",
        "bytes */200000",
        "items 70000-199999/200000",
        "bytes 99999999999999999999-0/1",
        "nonsense",
    ] {
        let (found, asked) = read(move |_, body| part(range, body.slice(70_000..))).await;
        let error = found.unwrap_err();
        assert_eq!((error.kind(), asked.len()), (Kind::Failed, 2), "{range}: {error}");
        assert!(error.to_string().contains(&format!("sent `{range}` of the blob")), "{error}");
    }
    let (found, _) = read(|_, body| answer(206, &[], body.slice(60_000..))).await;
    let error = found.unwrap_err().to_string();
    assert!(error.ends_with("sent some part of the blob, without `Content-Range`"), "{error}");
}

#[tokio::test]
async fn a_registry_that_does_not_get_on_with_ranges_is_asked_for_the_whole() {
    let (found, asked) = read(|request, body| match header(request, "range") {
        "" => answer(200, &[], body.clone()),
        _ => answer(416, &[], ""),
    })
    .await;
    assert_eq!((found.is_ok(), asked.len()), (true, 3));
}

/// A body whose length nobody says.
fn unmeasured(bytes: Bytes) -> Response {
    let body = axum::body::Body::from_stream(futures::stream::iter([Ok::<_, Error>(bytes)]));
    Response::builder().body(body).unwrap()
}

#[tokio::test]
async fn an_answer_that_ends_early_without_a_word_goes_on() {
    let whole = content(1, SIZE);
    let body = whole.clone();
    let server = Server::hostile(move |request| match first_of(request) {
        0 => unmeasured(body.slice(..70_000)),
        first => answer(206, &[], body.slice(first..)),
    })
    .await;
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &whole);
    let found = server.repository("a").blob(&blob).await.unwrap().collect(u64::MAX).await.unwrap();
    assert_eq!((found, server.log.count().as_str()), (whole.clone(), "GET 2"));

    // What is always shorter is given up, and it is said where it ended.
    let server = Server::hostile(move |_| unmeasured(whole.slice(..70_000))).await;
    let stream = server.repository("a").blob(&blob).await.unwrap();
    let error = stream.collect(u64::MAX).await.unwrap_err();
    let end = "the answer ended after 70000 of 200000 bytes (tried 3 times in less than 1 s)";
    assert!(error.to_string().ends_with(end), "{error}");
    assert_eq!((error.kind(), server.log.count().as_str()), (Kind::Transient, "GET 3"));
}

#[tokio::test]
async fn more_bytes_than_promised_are_not_given_out() {
    for known in [true, false] {
        let whole = content(1, SIZE);
        let blob = Descriptor::of(MediaType::OCTET_STREAM, &whole);
        let more = Bytes::from([whole, Bytes::from_static(b"more")].concat());
        let server = Server::hostile(move |_| match known {
            true => answer(200, &[], more.clone()),
            false => unmeasured(more.clone()),
        })
        .await;
        let stream = server.repository("a").blob(&blob).await.unwrap();
        let error = stream.collect(u64::MAX).await.unwrap_err();
        assert_eq!((error.kind(), server.log.count().as_str()), (Kind::Mismatch, "GET 1"));
    }
}

#[tokio::test]
async fn a_part_that_breaks_goes_on_too() {
    let whole = content(1, SIZE);
    let (body, asked) = (whole.clone(), Arc::new(AtomicUsize::new(0)));
    let server = Server::hostile(move |request| {
        let rest = body.slice(first_of(request)..150_000);
        let mut response = match asked.fetch_add(1, Ordering::SeqCst) {
            0 => cut(&rest, 20_000),
            _ => answer(206, &[], rest),
        };
        *response.status_mut() = http::StatusCode::PARTIAL_CONTENT;
        response
    })
    .await;
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &whole);
    let part = server.repository("a").blob_range(&blob, 100_000..150_000).await.unwrap();
    assert_eq!(part.collect(u64::MAX).await.unwrap(), whole.slice(100_000..150_000));
    let ranges = server.log.count();
    assert_eq!(ranges, "GET 2");
}
