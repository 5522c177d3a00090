//! The edge's own key is replaced.

use crate::cloud::{FakeCloud, KeyFault};
use crate::edge::{Edge, PATIENCE};
use tokio::time::timeout;

fn own(edge: &Edge) -> String {
    edge.registry.enrolled().unwrap().enrolment.public_key.clone()
}

async fn rotate(edge: &Edge) {
    edge.registry.order_new_key().unwrap();
    let mut next = edge.registry.next_keys();
    timeout(PATIENCE, next.wait_for(Option::is_none)).await.expect("replaced in time").unwrap();
}

#[tokio::test]
async fn a_new_key_is_announced_used_and_kept() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::enrolled(&cloud).await;
    let former = own(&edge);

    rotate(&edge).await;
    cloud.void_tokens();
    edge.tell("by the new key").await;
    edge.drained().await;

    assert_ne!(own(&edge), former);
    assert_eq!(cloud.edge_key(), Some(own(&edge)));
    assert_eq!(cloud.look(|seen| seen.refusals), 0);
}

#[tokio::test]
async fn answers_that_are_lost_on_the_way_to_a_new_key_cost_nothing() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::enrolled(&cloud).await;
    cloud.key_faults([KeyFault::LoseAnnounced, KeyFault::LoseUsed]);

    rotate(&edge).await;

    assert_eq!(cloud.edge_key(), Some(own(&edge)));
    assert_eq!(cloud.look(|seen| seen.refusals), 0);
}

#[tokio::test]
async fn without_an_enrolment_there_is_no_key_to_replace() {
    let cloud = FakeCloud::start().await;
    let edge = Edge::new(&cloud).await;

    let error = edge.registry.order_new_key().unwrap_err();

    assert!(error.to_string().contains("not enrolled"), "{error}");
}
