//! Which nodes are alive.

use super::*;
use std::time::Duration;

const LONG: Millis = 60_000;

/// Renew the lease of a node, or begin it. Answers whether it had run out, and who is alive.
async fn renew(store: &Arc<dyn Store>, node: &str, is_new: bool, duration: Millis, now: Millis) -> (bool, Vec<String>) {
    let lease = Lease { node: node.into(), is_new, duration };
    let Nodes { lapsed, alive } = store.renew(lease, now).await.unwrap();
    let mut alive: Vec<String> = alive.iter().map(ToString::to_string).collect();
    alive.sort();
    (lapsed, alive)
}

fn alive(nodes: &[&str]) -> (bool, Vec<String>) {
    (false, nodes.iter().map(ToString::to_string).collect())
}

pub(crate) async fn whose_lease_holds_is_alive(store: Arc<dyn Store>) {
    assert_eq!(renew(&store, "n1", true, LONG, NOW).await, alive(&["n1"]));
    assert_eq!(renew(&store, "n2", true, LONG, NOW).await, alive(&["n1", "n2"]));
    assert_eq!(renew(&store, "n1", false, LONG, NOW + 1).await, alive(&["n1", "n2"]));
    // Nothing of it is a record of anybody.
    assert_eq!(store.owned().await.unwrap(), []);
}

/// Wait until a lease of a millisecond has run out, whichever clock the store goes by. Answers the time then.
async fn until_over(store: &Arc<dyn Store>, node: &str, mut now: Millis) -> Millis {
    loop {
        now += 1;
        let (_, alive) = renew(store, "watch", true, LONG, now).await;
        if !alive.iter().any(|known| known == node) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) async fn a_lease_that_ran_out_never_revives(store: Arc<dyn Store>) {
    renew(&store, "n1", true, 1, NOW).await;
    renew(&store, "n2", true, LONG, NOW).await;
    let now = until_over(&store, "n1", NOW).await;
    let lapsed = (true, alive(&["n2", "watch"]).1);
    assert_eq!(renew(&store, "n1", false, LONG, now).await, lapsed);
    assert_eq!(renew(&store, "n1", false, LONG, now).await, lapsed, "nor does it by being asked for");
    assert_eq!(renew(&store, "n2", false, LONG, now).await, alive(&["n2", "watch"]));
}

pub(crate) async fn what_was_never_begun_has_run_out(store: Arc<dyn Store>) {
    assert_eq!(renew(&store, "n1", false, LONG, NOW).await, (true, Vec::new()));
    assert_eq!(renew(&store, "n2", true, LONG, NOW).await, alive(&["n2"]));
}

pub(crate) async fn a_renewed_lease_holds_from_then_on(store: Arc<dyn Store>) {
    renew(&store, "n1", true, LONG, NOW).await;
    // It may as well become shorter.
    assert_eq!(renew(&store, "n1", false, 1, NOW + 10).await, alive(&["n1"]));
    let now = until_over(&store, "n1", NOW + 10).await;
    assert_eq!(renew(&store, "n1", false, LONG, now).await, (true, alive(&["watch"]).1));
    assert_eq!(renew(&store, "n1 again", true, LONG, now).await, alive(&["n1 again", "watch"]));
}
