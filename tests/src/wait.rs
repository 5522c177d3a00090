//! Waiting for a condition with a deadline, instead of sleeping and hoping.

use crate::process::Ended;
use anyhow::{Result, bail};
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(5);
/// The same for what takes minutes, and whose looks cost something.
const LONG_PAUSE: Duration = Duration::from_millis(250);

/// Waits until `probe` gives a value, or says what did not happen within `limit`. Errors are asked again, except
/// that a program has [`Ended`].
pub async fn until<T, F, Fut>(what: &str, limit: Duration, probe: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    look_again(what, (limit, PAUSE), probe).await
}

async fn look_again<T, F, Fut>(
    what: &str,
    (limit, pause): (Duration, Duration),
    mut probe: F,
) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    let deadline = Instant::now() + limit;
    loop {
        let probed = probe().await;
        if let Ok(Some(value)) = probed {
            return Ok(value);
        }
        let in_vain = probed.as_ref().is_err_and(anyhow::Error::is::<Ended>);
        if in_vain || Instant::now() >= deadline {
            match probed {
                Err(error) => return Err(error.context(format!("not within {limit:?}: {what}"))),
                Ok(_) => bail!("not within {limit:?}: {what}"),
            }
        }
        sleep(pause).await;
    }
}

/// Waits until `probe` says yes.
pub async fn until_true<F, Fut>(what: &str, limit: Duration, mut probe: F) -> Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<bool>>,
{
    until(what, limit, || {
        let asked = probe();
        async { Ok(asked.await?.then_some(())) }
    })
    .await
}

/// The same, looking less often.
pub async fn until_true_at_last<F, Fut>(what: &str, limit: Duration, mut probe: F) -> Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<bool>>,
{
    look_again(what, (limit, LONG_PAUSE), || {
        let asked = probe();
        async { Ok(asked.await?.then_some(())) }
    })
    .await
}
