//! What a node hears, on its way to the hub.

use super::{SIGNALS, Signal};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// A bounded queue to the hub. Full: the signal is lost, and [`Signal::Gap`] follows once there is room, so that a hub
/// that fell behind compares heads instead of holding up everybody's events.
pub(super) struct Signals {
    sender: mpsc::Sender<Signal>,
    receiver: Mutex<Option<mpsc::Receiver<Signal>>>,
    /// A gap waits to be told.
    gap: Arc<AtomicBool>,
    teller: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Signals {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::channel(SIGNALS);
        Self { sender, receiver: Mutex::new(Some(receiver)), gap: Arc::default(), teller: Mutex::default() }
    }

    /// The hub's end, once.
    pub(super) fn take(&self) -> Option<mpsc::Receiver<Signal>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Passes a signal on, or notes that one was lost.
    pub(super) fn offer(&self, signal: Signal) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.sender.try_send(signal) {
            self.tell_gap();
        }
    }

    /// Sends [`Signal::Gap`] as soon as there is room. Many gaps that wait are one. Called within the runtime.
    pub(super) fn tell_gap(&self) {
        if self.gap.swap(true, Ordering::AcqRel) {
            return;
        }
        let (sender, gap) = (self.sender.clone(), self.gap.clone());
        let teller = tokio::spawn(async move {
            let Ok(permit) = sender.reserve_owned().await else { return };
            // First this: whatever is lost from here on asks for a gap of its own.
            gap.store(false, Ordering::Release);
            permit.send(Signal::Gap);
        });
        // The one that is replaced has told its gap: it was it that cleared the flag.
        *self.teller.lock().unwrap_or_else(PoisonError::into_inner) = Some(AbortOnDropHandle::new(teller));
    }
}
