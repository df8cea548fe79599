//! Whether messages have been posted before, asked of the store for all who want to know it at that moment: what an
//! answer costs is the way there and back.

use super::once::STORE_PATIENCE;
use crate::store::{PostedRow, Store};
use app::model::{MessageId, RoomId};
use std::sync::Arc;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

/// Questions that wait. Full: whoever asks waits for a place, as long as they have patience.
const WAITING: usize = 4_096;
/// Questions in one.
const AT_ONCE: usize = 256;

/// So many at a time: who comes while one is under way need not wait for its answer.
const UNDER_WAY: usize = 2;

struct Question {
    of: (RoomId, MessageId),
    answer: oneshot::Sender<Option<PostedRow>>,
}

/// Asks the store.
pub struct Asked {
    questions: mpsc::Sender<Question>,
    _task: AbortOnDropHandle<()>,
}

impl Asked {
    /// Asks this one, until it is dropped.
    pub fn new(store: Arc<dyn Store>) -> Self {
        let (questions, waiting) = mpsc::channel(WAITING);
        Self { questions, _task: AbortOnDropHandle::new(tokio::spawn(answer(store, waiting))) }
    }

    /// What was posted under this id, if anything was; `None`: the store does not say. The store is asked after this is.
    pub async fn posted(&self, room: RoomId, id: MessageId) -> Option<Option<PostedRow>> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(Question { of: (room, id), answer }).await.ok()?;
        answered.await.ok()
    }
}

async fn answer(store: Arc<dyn Store>, mut waiting: mpsc::Receiver<Question>) {
    let mut under_way = JoinSet::new();
    let mut questions = Vec::with_capacity(AT_ONCE);
    while waiting.recv_many(&mut questions, AT_ONCE).await > 0 {
        // Whoever has lost patience asks no more.
        questions.retain(|question| !question.answer.is_closed());
        if !questions.is_empty() {
            under_way.spawn(ask(store.clone(), std::mem::take(&mut questions)));
        }
        while under_way.len() >= UNDER_WAY {
            under_way.join_next().await;
        }
    }
}

async fn ask(store: Arc<dyn Store>, questions: Vec<Question>) {
    let asked: Vec<_> = questions.iter().map(|question| question.of).collect();
    // Without an answer nobody gets one.
    let Ok(Ok(found)) = tokio::time::timeout(STORE_PATIENCE, store.posted_among(&asked)).await else { return };
    for Question { of, answer } in questions {
        let _ = answer.send(found.get(&of).cloned());
    }
}
