use super::Actions;
use crate::{
    browser,
    complete::{self, Begun, Candidate, Edit, bytes, units},
    markdown::Renderer,
    pages::Rooms,
    reactive::effect,
};
use leptos::{
    ev::KeyboardEvent,
    html,
    prelude::*,
    wasm_bindgen::JsCast,
    web_sys::{Element, HtmlTextAreaElement},
};

/// The list's id; its options' begin with it.
const LIST: &str = "suggestions";

/// What is offered above the composer while a name is being written.
#[derive(Clone, Copy)]
pub struct Suggestions {
    actions: Actions,
    rooms: Option<Rooms>,
    field: NodeRef<html::Textarea>,
    offered: RwSignal<Vec<Candidate>>,
    chosen: RwSignal<usize>,
    begun: StoredValue<Option<Begun>>,
    /// Where the person has closed the list: it stays so until another word is begun.
    declined: StoredValue<Option<usize>>,
}

impl Suggestions {
    /// For a text field in a room.
    pub fn new(actions: Actions, field: NodeRef<html::Textarea>) -> Self {
        Self {
            actions,
            rooms: use_context(),
            field,
            offered: RwSignal::new(vec![]),
            chosen: RwSignal::new(0),
            begun: StoredValue::new(None),
            declined: StoredValue::new(None),
        }
    }

    /// Something is offered.
    pub fn open(self) -> bool {
        !self.offered.read().is_empty()
    }

    /// Looks at what stands before the cursor.
    pub fn look(self) {
        let Some(field) = self.field.get_untracked() else { return };
        let text = field.value();
        let begun = complete::begun(&text, cursor(&field, &text));
        if begun.as_ref().map(|begun| begun.from) != self.declined.get_value() {
            self.declined.set_value(None);
        }
        let offered = match &begun {
            Some(begun) if self.declined.get_value().is_none() => self.candidates(begun),
            _ => vec![],
        };
        self.begun.set_value(begun);
        if offered != *self.offered.read_untracked() {
            self.chosen.set(0);
            self.offered.set(offered);
        }
    }

    fn candidates(self, begun: &Begun) -> Vec<Candidate> {
        // Until it is there nothing is offered.
        let Some(by) = Renderer::there() else { return vec![] };
        let rooms = self.rooms.and_then(|rooms| rooms.0.get_untracked()).and_then(Result::ok).unwrap_or_default();
        let me = self.actions.me();
        self.actions.state().with_untracked(|state| {
            let mut people = state.members().iter().map(|member| &member.user);
            (by.candidates)(begun, &mut people, &rooms, me.as_deref())
        })
    }

    /// Offers nothing any more. A field that is taken away while it has the cursor says so when all else is gone.
    pub fn close(self) {
        if self.offered.try_with_untracked(Vec::is_empty) == Some(false) {
            self.offered.set(vec![]);
        }
    }

    /// Takes a key that is for the list; `false`: it is not.
    pub fn take(self, event: &KeyboardEvent) -> bool {
        let count = self.offered.read_untracked().len();
        if count == 0 || event.ctrl_key() || event.alt_key() || event.meta_key() || event.shift_key() {
            return false;
        }
        match event.key().as_str() {
            "ArrowDown" => self.chosen.update(|chosen| *chosen = (*chosen + 1) % count),
            "ArrowUp" => self.chosen.update(|chosen| *chosen = (*chosen + count - 1) % count),
            "Enter" | "Tab" => self.accept(self.chosen.get_untracked()),
            "Escape" => {
                self.declined.set_value(self.begun.with_value(|begun| begun.as_ref().map(|begun| begun.from)));
                self.close();
            }
            _ => return false,
        }
        event.prevent_default();
        true
    }

    fn accept(self, n: usize) {
        let candidate = self.offered.with_untracked(|offered| offered.get(n).cloned());
        let (Some(field), Some(candidate), Some(begun), Some(by)) =
            (self.field.get_untracked(), candidate, self.begun.get_value(), Renderer::there())
        else {
            return;
        };
        let text = field.value();
        let edit = (by.accept)(&text, cursor(&field, &text), &begun, &candidate);
        self.close();
        apply(&field, &text, &edit);
    }
}

fn cursor(field: &HtmlTextAreaElement, text: &str) -> usize {
    bytes(text, field.selection_end().ok().flatten().unwrap_or_default())
}

/// Changes a field's text as if the person had: what listens to it hears of it.
pub fn apply(field: &HtmlTextAreaElement, text: &str, edit: &Edit) {
    let (from, to) = edit.select;
    let _ = field.focus();
    let _ = field.set_selection_range(units(text, edit.from), units(text, edit.to));
    browser::insert(field, &edit.text);
    let text = field.value();
    let _ = field.set_selection_range(units(&text, from), units(&text, to));
}

/// The list itself.
#[component]
pub fn SuggestionList(
    /// What it shows.
    suggestions: Suggestions,
) -> impl IntoView {
    // While something is offered the field is a combo box; otherwise it is what it was: a field for text.
    effect(move || {
        let Some(field) = suggestions.field.get() else { return };
        let active = suggestions.open().then(|| option_id(suggestions.chosen.get()));
        let states =
            [("role", "combobox"), ("aria-expanded", "true"), ("aria-autocomplete", "list"), ("aria-controls", LIST)];
        for (name, value) in
            states.into_iter().chain([("aria-activedescendant", active.as_deref().unwrap_or_default())])
        {
            let _ = if active.is_some() { field.set_attribute(name, value) } else { field.remove_attribute(name) };
        }
        let chosen = active.and_then(|id| document().get_element_by_id(&id));
        if let Some(option) = chosen {
            browser::scroll_into_view(&option);
        }
    });
    let options = move || {
        let (offered, chosen) = (suggestions.offered.read(), suggestions.chosen.get());
        Renderer::there().map(|by| (by.options)(LIST, &offered, chosen)).unwrap_or_default()
    };
    let on_click = move |event: leptos::ev::MouseEvent| {
        let clicked = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let option = clicked.and_then(|clicked| clicked.closest("li").ok().flatten());
        let n = option.and_then(|option| option.id().strip_prefix(LIST)?.trim_start_matches('-').parse().ok());
        if let Some(n) = n {
            suggestions.accept(n);
        }
    };
    view! {
        <ul
            class="suggestions"
            id=LIST
            role="listbox"
            aria-label="Suggestions"
            hidden=move || !suggestions.open()
            inner_html=options
            // The cursor stays in the text.
            on:mousedown=|event| event.prevent_default()
            on:click=on_click
        ></ul>
    }
}

fn option_id(n: usize) -> String {
    format!("{LIST}-{n}")
}
