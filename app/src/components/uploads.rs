use super::{Actions, sending::Sending};
use crate::{
    browser::{self, Chosen},
    model::{MAX_FILE_BYTES, Uploaded},
    reactive::effect,
};
use leptos::{html, prelude::*, task::spawn_local};

/// Files that the next message is to have.
#[derive(Clone, Copy)]
pub struct Uploads {
    /// Where those that are there are kept over a reload.
    key: StoredValue<String>,
    pub(super) all: RwSignal<Vec<Upload>>,
    /// The message is to be sent as soon as they are there.
    pub(super) held: RwSignal<bool>,
    /// How they are sent and shown; fetched with the first.
    pub(super) sending: RwSignal<Option<Sending>>,
    pub(super) slug: StoredValue<String>,
    form: NodeRef<html::Form>,
}

#[derive(Clone, PartialEq)]
pub(super) struct Upload {
    pub(super) number: u32,
    pub(super) name: String,
    pub(super) state: State,
}

#[derive(Clone, PartialEq)]
pub(super) enum State {
    Waiting,
    /// In hundredths.
    Going(u8),
    Done(Uploaded),
    Failed {
        reason: String,
        again: bool,
    },
}

impl Uploads {
    /// For a room; `form` is submitted once they are there, if somebody wanted that before.
    pub fn new(actions: Actions, form: NodeRef<html::Form>) -> Self {
        let room = actions.state().with_untracked(|state| state.id());
        let uploads = Self {
            slug: StoredValue::new(actions.slug()),
            key: StoredValue::new(format!("partyline.files.{room}")),
            all: RwSignal::new(vec![]),
            held: RwSignal::new(false),
            sending: RwSignal::new(None),
            form,
        };
        effect(move || {
            // Nothing is kept, as a rule; then nothing is fetched that could read it.
            if let Some(kept) = uploads.key.with_value(|key| browser::stored(key)) {
                spawn_local(async move {
                    if let Ok(sending) = Sending::load().await
                        && uploads.sending.try_set(Some(sending)).is_none()
                    {
                        (sending.restore)(uploads, &kept);
                    }
                });
            }
        });
        on_cleanup(move || {
            uploads.all.try_with_untracked(|all| all.iter().for_each(|upload| browser::let_go(upload.number)));
        });
        uploads
    }

    fn keep(self) {
        let done = self.all.with_untracked(|all| all.iter().filter_map(Upload::done).cloned().collect::<Vec<_>>());
        self.key.with_value(|key| match serde_json::to_string(&done) {
            Ok(text) if !done.is_empty() => browser::store(key, &text),
            _ => browser::forget(key),
        });
    }

    /// Adds what was chosen; whether there was any.
    pub fn add(self, chosen: Vec<Chosen>) -> bool {
        let any = !chosen.is_empty();
        self.all.update(|all| {
            all.extend(chosen.into_iter().map(|Chosen { number, name, bytes }| {
                let state = match bytes {
                    0 => refused("it is empty"),
                    _ if bytes > MAX_FILE_BYTES as u64 => refused("a file may have 10 MiB at most"),
                    _ => State::Waiting,
                };
                Upload { number, name, state }
            }));
        });
        self.go_on();
        any
    }

    /// There are none. Reactive.
    pub fn is_empty(self) -> bool {
        self.all.read().is_empty()
    }

    /// What the message says: the text, and the files after it. `None`: not yet. Then it is sent when they are there,
    /// unless one fails.
    pub fn with_text(self, text: &str) -> Option<String> {
        let all = self.all.read_untracked();
        let going = all.iter().any(|upload| matches!(upload.state, State::Waiting | State::Going(_)));
        let files = all.iter().map(|upload| Some(upload.done()?.markdown.clone())).collect::<Option<Vec<_>>>();
        if files.is_none() {
            self.held.set(going);
        }
        let files = files?.join(" ");
        let between = if text.trim().is_empty() || files.is_empty() { "" } else { "\n\n" };
        Some(format!("{}{between}{files}", if files.is_empty() { text } else { text.trim_end() }))
    }

    /// One could not be uploaded, and none is on its way.
    pub fn stuck(self) -> bool {
        let all = self.all.read_untracked();
        all.iter().any(|upload| upload.done().is_none()) && !self.held.get_untracked()
    }

    /// They are sent.
    pub fn clear(self) {
        self.all.update(|all| all.drain(..).for_each(|upload| browser::let_go(upload.number)));
        self.held.set(false);
        self.keep();
    }

    pub(super) fn remove(self, number: u32) {
        browser::let_go(number);
        self.all.update(|all| all.retain(|upload| upload.number != number));
        self.go_on();
    }

    pub(super) fn set(self, number: u32, state: State) {
        // The page may have gone on to another room meanwhile.
        self.all.try_update(|all| {
            if let Some(upload) = all.iter_mut().find(|upload| upload.number == number) {
                upload.state = state;
            }
        });
    }

    /// Does what there is to be done next, as soon as it is known how. If all are there, or were taken out, the message
    /// that waited for them goes.
    pub(super) fn go_on(self) {
        self.keep();
        if self.all.with_untracked(|all| all.iter().all(|upload| upload.done().is_some())) {
            if self.held.get_untracked() {
                self.held.set(false);
                if let Some(form) = self.form.get_untracked() {
                    let _ = form.request_submit();
                }
            }
            return;
        }
        spawn_local(async move {
            match Sending::load().await {
                Ok(sending) if self.all.try_with_untracked(|_| ()).is_some() => {
                    self.sending.try_set(Some(sending));
                    (sending.go_on)(self);
                }
                Ok(_) => {}
                Err(_) => {
                    self.all.try_update(|all| {
                        for upload in all.iter_mut().filter(|upload| upload.state == State::Waiting) {
                            upload.state = State::Failed { reason: "the server was not reached".into(), again: true };
                        }
                    });
                    self.held.try_set(false);
                }
            }
        });
    }
}

impl Upload {
    pub(super) fn done(&self) -> Option<&Uploaded> {
        if let State::Done(file) = &self.state { Some(file) } else { None }
    }
}

fn refused(reason: &str) -> State {
    State::Failed { reason: reason.into(), again: false }
}

/// Whether files are being dragged over the page; wherever they are dropped, they are added.
pub fn dropping(uploads: Uploads) -> RwSignal<bool> {
    let over = RwSignal::new(false);
    effect(move || {
        let dragged = window_event_listener(leptos::ev::dragover, move |event| {
            if browser::drags_files(&event) {
                // The browser would show the file in place of the page.
                event.prevent_default();
                over.set(true);
            }
        });
        let left = window_event_listener(leptos::ev::dragleave, move |event| {
            if event.related_target().is_none() {
                over.set(false);
            }
        });
        let dropped = window_event_listener(leptos::ev::drop, move |event| {
            over.set(false);
            if browser::drags_files(&event) {
                event.prevent_default();
                uploads.add(browser::dropped(&event));
            }
        });
        on_cleanup(move || {
            dragged.remove();
            left.remove();
            dropped.remove();
        });
    });
    over
}
