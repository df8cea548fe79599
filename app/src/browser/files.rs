//! Files that a person has chosen, and their way to the server.
//!
//! They are kept here under numbers: what is of the browser's platform alone stays on this side.

use super::Chosen;
use leptos::task::spawn_local;
use std::{cell::RefCell, collections::BTreeMap};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{
    ClipboardEvent, DataTransfer, DragEvent, File, FileList, HtmlInputElement, ProgressEvent, XmlHttpRequest,
};

thread_local! {
    static KEPT: RefCell<BTreeMap<u32, Kept>> = const { RefCell::new(BTreeMap::new()) };
}

struct Kept {
    file: File,
    request: Option<Request>,
}

/// Ends with its last owner.
struct Request {
    request: XmlHttpRequest,
    _progress: Closure<dyn Fn(ProgressEvent)>,
    _end: Closure<dyn FnMut()>,
}

impl Drop for Request {
    fn drop(&mut self) {
        self.request.set_onloadend(None);
        let _ = self.request.abort();
    }
}

fn keep(files: Option<FileList>) -> Vec<Chosen> {
    let Some(files) = files else { return Vec::new() };
    let files = (0..files.length()).filter_map(|i| files.get(i));
    KEPT.with_borrow_mut(|kept| {
        let keep = |file: File| {
            let number = kept.last_key_value().map_or(0, |(last, _)| last + 1);
            let chosen = Chosen { number, name: file.name(), bytes: file.size() as u64 };
            kept.insert(number, Kept { file, request: None });
            chosen
        };
        files.map(keep).collect()
    })
}

fn has(data: &DataTransfer, kind: &str) -> bool {
    data.types().iter().any(|found| found.as_string().as_deref() == Some(kind))
}

/// What is pasted. Of what can be pasted as a text too, its picture is not meant.
pub fn pasted(event: &ClipboardEvent) -> Vec<Chosen> {
    let data = event.clipboard_data().filter(|data| !has(data, "text/plain"));
    keep(data.and_then(|data| data.files()))
}

/// Files are dragged, not a text.
pub fn drags_files(event: &DragEvent) -> bool {
    event.data_transfer().is_some_and(|data| has(&data, "Files"))
}

/// What is dropped.
pub fn dropped(event: &DragEvent) -> Vec<Chosen> {
    keep(event.data_transfer().and_then(|data| data.files()))
}

/// What a field for files has; it is empty then, so that the same can be chosen again.
pub fn chosen(field: &HtmlInputElement) -> Vec<Chosen> {
    let chosen = keep(field.files());
    field.set_value("");
    chosen
}

/// Sends a file. `progress` hears of hundredths; `done` of the answer's status (0: there was none) and text.
pub fn upload(number: u32, url: &str, progress: impl Fn(u8) + 'static, done: impl FnOnce(u16, String) + 'static) {
    KEPT.with_borrow_mut(|kept| {
        let (Some(kept), Ok(request)) = (kept.get_mut(&number), XmlHttpRequest::new()) else {
            return spawn_local(async move { done(0, String::new()) });
        };
        let progress = Closure::new(move |event: ProgressEvent| {
            if event.total() > 0.0 {
                progress((event.loaded() / event.total() * 100.0) as u8);
            }
        });
        let answered = request.clone();
        let end = Closure::once(move || {
            let status = answered.status().unwrap_or(0);
            let text = answered.response_text().ok().flatten().unwrap_or_default();
            // Not from within: it may let go of what calls it.
            spawn_local(async move { done(status, text) });
        });
        let sent = request.upload().and_then(|upload| {
            upload.set_onprogress(Some(progress.as_ref().unchecked_ref()));
            request.set_onloadend(Some(end.as_ref().unchecked_ref()));
            request.open("POST", url)?;
            request.set_request_header("content-type", "application/octet-stream")?;
            request.send_with_opt_blob(Some(&kept.file))
        });
        // Not sent, `loadend` does not come; the person sees that nothing moves, and can take it out.
        let _ = sent;
        kept.request = Some(Request { request, _progress: progress, _end: end });
    });
}

/// Is not needed any more; if it is on its way, it is stopped.
pub fn let_go(number: u32) {
    let kept = KEPT.with_borrow_mut(|kept| kept.remove(&number));
    drop(kept);
}
