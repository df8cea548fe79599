use crate::{
    model::MessageId,
    reactive::effect,
    timeline::{Row, Rows},
};
use leptos::prelude::*;
use std::collections::HashMap;

/// Each row for itself: one that changes is news to what shows it, and not to hundreds of others.
#[derive(Clone, Copy)]
pub struct EachRow {
    rows: Memo<Rows>,
    shown: StoredValue<HashMap<MessageId, RwSignal<Row>>>,
}

impl EachRow {
    /// Of these.
    pub fn of(rows: Memo<Rows>) -> Self {
        let shown = StoredValue::new(HashMap::<MessageId, RwSignal<Row>>::new());
        effect(move || {
            let rows = rows.read();
            shown.with_value(|shown| {
                for (id, row) in shown {
                    // Between a row's end and its view's the last known one stands.
                    if let Some(now) = rows.by_id.get(id)
                        && row.with_untracked(|before| before != now)
                    {
                        row.set(now.clone());
                    }
                }
            });
        });
        Self { rows, shown }
    }

    /// One of them, until its view's end. Panics if there is none: a list shows only rows that it has.
    pub fn row(self, id: MessageId) -> RwSignal<Row> {
        let row = RwSignal::new(self.rows.with_untracked(|rows| rows.by_id[&id].clone()));
        self.shown.update_value(|shown| {
            let _ = shown.insert(id, row);
        });
        on_cleanup(move || {
            // It may be shown anew, in another place, before this one is gone.
            let _ = self.shown.try_update_value(|shown| {
                if shown.get(&id) == Some(&row) {
                    shown.remove(&id);
                }
            });
        });
        row
    }
}
