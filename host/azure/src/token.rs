//! Tokens, and the slots in which they are kept.

use std::time::Duration;

use report::{Fault, Secret};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::Error;

/// A token is renewed this long before it ends: a deployment that begins with one may take a while.
const MARGIN: Duration = Duration::from_secs(300);

/// A short life is used all the same: the margin is no more than this part of it, a quarter.
const MARGIN_PART: u32 = 4;

/// What proves who we are, for one audience. Shown nowhere.
#[derive(Clone)]
pub struct Token {
    secret: Secret,
    renew_at: Instant,
}

/// One token that many wait for and one fetches.
#[derive(Default)]
pub(crate) struct Slot(Mutex<State>);

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// The last failure, and when it was: it is the answer for those who waited meanwhile.
    failed: Option<(Instant, Fault)>,
}

impl Token {
    /// A token that lives for `life` from `asked`, the moment at which it was asked for.
    pub(crate) fn new(secret: Secret, asked: Instant, life: Duration) -> Self {
        let used = life.saturating_sub(MARGIN.min(life / MARGIN_PART));
        // A life beyond what clocks can count is long enough.
        let renew_at = asked.checked_add(used).unwrap_or_else(|| asked + Duration::from_secs(3600));
        Self { secret, renew_at }
    }

    /// The bytes, for whoever writes them into a request.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    fn is_fresh(&self) -> bool {
        Instant::now() < self.renew_at
    }
}

impl Slot {
    /// The token that is there, or what `fetch` gives; however many ask, one fetches.
    pub(crate) async fn get(
        &self,
        fetch: impl Future<Output = Result<Token, Error>>,
    ) -> Result<Token, Fault> {
        let asked = Instant::now();
        let mut state = self.0.lock().await;
        if let Some(token) = state.token.as_ref().filter(|token| token.is_fresh()) {
            return Ok(token.clone());
        }
        if let Some((_, fault)) = state.failed.as_ref().filter(|(at, _)| *at > asked) {
            return Err(fault.clone());
        }
        match fetch.await {
            Ok(token) => {
                *state = State { token: Some(token.clone()), failed: None };
                Ok(token)
            }
            Err(error) => {
                let fault = Fault::from(error);
                *state = State { token: None, failed: Some((Instant::now(), fault.clone())) };
                Err(fault)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::join_all;

    use super::*;

    fn token(life: u64) -> Token {
        Token::new(Secret::new("t"), Instant::now(), Duration::from_secs(life))
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_before_it_ends() {
        let slot = Slot::default();
        let count = &AtomicU32::new(0);
        let get = |life| {
            slot.get(async move {
                count.fetch_add(1, Ordering::Relaxed);
                Ok(token(life))
            })
        };
        get(3600).await.unwrap();
        tokio::time::advance(Duration::from_secs(3299)).await;
        get(100).await.unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        get(100).await.unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 2);
        // A quarter of a short life is left.
        tokio::time::advance(Duration::from_secs(74)).await;
        get(0).await.unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 2);
        tokio::time::advance(Duration::from_secs(2)).await;
        get(0).await.unwrap();
        get(u64::MAX).await.unwrap();
        get(1).await.unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn one_fetches_for_all_who_wait_also_a_failure() {
        let slot = Slot::default();
        let count = AtomicU32::new(0);
        let failing = || {
            slot.get(async {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
                Err(Error::Setting("no".to_owned()))
            })
        };
        let all = join_all((0..20).map(|_| failing())).await;
        assert!(all.iter().all(|result| result.is_err()));
        assert_eq!(count.load(Ordering::Relaxed), 1);
        // Who comes later tries anew.
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(failing().await.is_err());
        assert_eq!(count.load(Ordering::Relaxed), 2);
        let fetching = || {
            slot.get(async {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
                Ok(token(3600))
            })
        };
        let all = join_all((0..20).map(|_| fetching())).await;
        assert!(all.iter().all(|result| result.is_ok()));
        assert_eq!(count.load(Ordering::Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_that_is_dropped_leaves_the_slot_to_the_next() {
        let slot = Slot::default();
        let never = slot.get(std::future::pending());
        assert!(tokio::time::timeout(Duration::from_millis(1), never).await.is_err());
        assert!(slot.get(async { Ok(token(60)) }).await.is_ok());
    }
}
