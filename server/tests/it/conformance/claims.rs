//! What [`server::fanout::Fanout`] promises of claims, by both adapters.

use super::fanout::fleet::{Fleet, at};
use app::model::{MessageId, RoomId};
use futures::future::join_all;
use server::fanout::claims::{Claim, Claimed, Fate, Fingerprint};

macro_rules! conformance {
    ($($name:ident),* $(,)?) => {
        mod local {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Fleet::local().await).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Fleet::redis().await).await;
            })*
        }
    };
}

conformance! {
    of_all_that_claim_an_id_one_is_told_that_it_is_its_own,
    what_became_of_a_claim_is_told_to_the_next,
    a_released_claim_is_free_again_and_nobody_elses_is_released,
    the_same_id_in_another_room_is_another_claim,
}

const HERS: Fingerprint = [1; 16];

fn claim(room: RoomId, id: MessageId) -> Claim {
    Claim::new(room, id, HERS)
}

fn taken(fate: Fate) -> Claimed {
    Claimed::Taken { fingerprint: HERS, fate }
}

async fn of_all_that_claim_an_id_one_is_told_that_it_is_its_own(fleet: Fleet) {
    for _ in 0..20 {
        let (room, id) = (RoomId::new(), MessageId::new());
        let claims: Vec<Claim> = (0..9).map(|_| claim(room, id)).collect();
        let answers = claims.iter().zip(fleet.nodes.iter().cycle()).map(|(claim, node)| node.claim(claim));
        let answers: Vec<Claimed> = join_all(answers).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().filter(|a| **a == Claimed::Mine).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|a| **a == taken(Fate::Pending)).count(), 8, "{answers:?}");
        let mine = answers.iter().position(|a| *a == Claimed::Mine).unwrap();
        assert_eq!(fleet.nodes[0].claim(&claims[mine]).await.unwrap(), Claimed::Mine, "asked again");
    }
}

async fn what_became_of_a_claim_is_told_to_the_next(fleet: Fleet) {
    let (first, last) = (&fleet.nodes[0], fleet.nodes.last().unwrap());
    let (room, id) = (RoomId::new(), MessageId::new());
    let (mine, next) = (claim(room, id), Claim::new(room, id, [2; 16]));
    assert_eq!(first.claim(&mine).await.unwrap(), Claimed::Mine);
    first.settle(&mine, Fate::Unsure).await.unwrap();
    assert_eq!(last.claim(&next).await.unwrap(), taken(Fate::Unsure));
    first.settle(&mine, Fate::Posted(at(7))).await.unwrap();
    assert_eq!(last.claim(&next).await.unwrap(), taken(Fate::Posted(at(7))));
    // Where a message is says whoever knows, even of a claim that nobody remembers.
    let found = claim(room, MessageId::new());
    last.settle(&found, Fate::Posted(at(8))).await.unwrap();
    let answer = first.claim(&claim(room, found.id)).await.unwrap();
    assert!(answer == taken(Fate::Posted(at(8))) || answer == Claimed::Mine, "{answer:?}");
}

async fn a_released_claim_is_free_again_and_nobody_elses_is_released(fleet: Fleet) {
    let (first, last) = (&fleet.nodes[0], fleet.nodes.last().unwrap());
    let (room, id) = (RoomId::new(), MessageId::new());
    let (mine, other) = (claim(room, id), claim(room, id));
    assert_eq!(first.claim(&mine).await.unwrap(), Claimed::Mine);
    last.release(&other).await.unwrap();
    last.settle(&other, Fate::Unsure).await.unwrap();
    assert_eq!(last.claim(&other).await.unwrap(), taken(Fate::Pending));
    first.release(&mine).await.unwrap();
    assert_eq!(last.claim(&other).await.unwrap(), Claimed::Mine);
    last.settle(&other, Fate::Posted(at(3))).await.unwrap();
    first.release(&mine).await.unwrap();
    assert_eq!(first.claim(&mine).await.unwrap(), taken(Fate::Posted(at(3))), "settled by another meanwhile");
}

async fn the_same_id_in_another_room_is_another_claim(fleet: Fleet) {
    let id = MessageId::new();
    for _ in 0..2 {
        assert_eq!(fleet.nodes[0].claim(&claim(RoomId::new(), id)).await.unwrap(), Claimed::Mine);
    }
}
