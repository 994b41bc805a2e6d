use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
}

/// How long the next request waits.
fn wait(budget: &mut Budget, now: Instant) -> Duration {
    budget.book(now, false, PATIENCE).unwrap() - now
}

#[tokio::test]
async fn nobody_waits_until_somebody_was_refused_and_then_everybody_does() {
    let (now, mut budget) = (Instant::now(), Budget::default());
    for _ in 0..1000 {
        assert_eq!(wait(&mut budget, now), Duration::ZERO);
    }
    budget.refused(now, now, seconds(3));
    // Not all at once when the pause is over.
    assert_eq!(wait(&mut budget, now), seconds(3));
    assert_eq!(wait(&mut budget, now), seconds(3) + FIRST_GAP);
    assert!(budget.is_paused(now + seconds(2)) && !budget.is_paused(now + seconds(3)));
    // A shorter pause does not take back a longer one.
    budget.refused(now, now, seconds(1));
    assert!(budget.is_paused(now + seconds(2)));
}

#[tokio::test]
async fn a_gap_grows_once_for_each_refusal_that_is_news_and_shrinks_with_answers() {
    let (start, mut budget) = (Instant::now(), Budget::default());
    for _ in 0..16 {
        budget.refused(start, start + seconds(1), Duration::ZERO);
    }
    assert_eq!(budget.gap, FIRST_GAP);
    for second in 2..20 {
        let now = start + seconds(second);
        budget.refused(now, now, Duration::ZERO);
    }
    assert_eq!(budget.gap, LONGEST_GAP);
    for _ in 0..100 {
        budget.answered(start, None);
    }
    assert_eq!(budget.gap, Duration::ZERO);
}

#[tokio::test]
async fn a_pause_that_is_too_long_is_said_and_not_waited() {
    let (now, mut budget) = (Instant::now(), Budget::default());
    budget.refused(now, now, seconds(3600));
    assert_eq!(budget.book(now, false, PATIENCE), Err(seconds(3600)));
    assert!(budget.book(now + seconds(3599), false, PATIENCE).is_ok());
    budget.refused(now, now, Duration::MAX);
    assert!(budget.book(now + seconds(3599), false, PATIENCE).is_ok(), "no time is so far");
}

#[tokio::test]
async fn what_a_host_announces_slows_it_down_before_it_refuses() {
    let (now, mut budget) = (Instant::now(), Budget::default());
    let mut gap = |remaining: &str, limit: &str| {
        let said = headers(&[("ratelimit-remaining", remaining), ("ratelimit-limit", limit)]);
        budget.answered(now, Allowance::read(&said));
        wait(&mut budget, now);
        budget.announced
    };
    assert_eq!(gap("250;w=60", "1000;w=60"), Duration::ZERO);
    assert_eq!(gap("249;w=60", "1000;w=60"), Duration::from_millis(60));
    assert_eq!(gap("0", "1000"), Duration::from_millis(60));
    assert_eq!(gap("76;w=21600", "100;w=21600"), Duration::ZERO);
    assert_eq!(gap("24;w=21600", "100;w=21600"), LONGEST_GAP);
    assert_eq!(gap("nonsense", "100"), LONGEST_GAP);
    assert_eq!(gap("30", "0;w=1"), Duration::ZERO);
}

#[tokio::test]
async fn nothing_left_is_waited_for_if_the_host_says_how_long() {
    let (now, mut budget) = (Instant::now(), Budget::default());
    let said = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "7")];
    budget.answered(now, Allowance::read(&headers(&said)));
    assert_eq!(wait(&mut budget, now), seconds(7));
}

#[test]
fn what_is_announced_is_read_as_hosts_write_it() {
    let read = |pairs: &[(&'static str, &str)]| Allowance::read(&headers(pairs));
    let azure = read(&[("x-ms-ratelimit-remaining-calls-per-second", "10.667")]).unwrap();
    assert_eq!((azure.remaining, azure.gap()), (10, Duration::from_millis(100)));
    let plenty = read(&[("x-ms-ratelimit-remaining-calls-per-second", "166.6")]).unwrap();
    assert_eq!(plenty.gap(), Duration::ZERO);
    for wrong in ["", "-1", "x", "1e9", ";w=1"] {
        assert_eq!(read(&[("ratelimit-remaining", wrong)]), None, "{wrong}");
    }
    let odd = read(&[("ratelimit-remaining", "5;w=-3, 9;w=2"), ("ratelimit-limit", "")]).unwrap();
    assert_eq!((odd.remaining, odd.limit, odd.window), (5, None, seconds(2)));
}

#[tokio::test]
async fn referrers_of_azure_are_never_asked_for_more_than_a_thousand_times_a_minute() {
    let traffic = Traffic::new("mine.azurecr.io");
    let start = Instant::now();
    let mut budget = traffic.budget();
    let times: Vec<Instant> =
        (0..3000).map(|_| budget.book(start, true, PATIENCE).unwrap()).collect();
    assert_eq!(times[usize::try_from(REFERRERS_AT_ONCE).unwrap()], start);
    for pair in times.windows(1001) {
        assert!(pair[1000] - pair[0] >= seconds(60));
    }
    drop(budget);
    let other = Traffic::new("ghcr.io:443");
    let mut budget = other.budget();
    for _ in 0..3000 {
        assert_eq!(budget.book(start, true, PATIENCE), Ok(start));
    }
}

#[tokio::test]
async fn who_waits_already_waits_for_a_later_refusal_too() {
    let (start, mut budget) = (Instant::now(), Budget::default());
    budget.refused(start, start, seconds(5));
    let first = budget.book(start, false, PATIENCE).unwrap();
    let later = start + seconds(4);
    budget.refused(later, later, seconds(10));
    assert!(budget.is_paused(first));
    assert!(budget.book(first, false, PATIENCE).unwrap() >= start + seconds(14));
}
