//! Load on nodes, written down and judged.

use chaos::{
    client::{Dice, Site},
    history::Recorder,
    load::{Load, Scale},
    oracle::{self, Verdict},
};
use std::{path::PathBuf, sync::Arc};

/// People who write and watch at some nodes, until [`Judged::end`].
pub struct Judged {
    pub load: Load,
    history: PathBuf,
}

impl Judged {
    /// At the nodes of these addresses.
    pub async fn begin(nodes: Vec<String>, scale: Scale) -> Self {
        let seed = uuid::Uuid::new_v4().as_u64_pair().0;
        println!("seed {seed}");
        let history = std::env::temp_dir().join(format!("partyline-history-{seed:x}.jsonl"));
        let recorder = Arc::new(Recorder::create(&history).unwrap());
        let site = Arc::new(Site::new(nodes).unwrap());
        let load = Load::begin(site, recorder, scale, Dice::new(seed)).await.unwrap();
        Self { load, history }
    }

    /// Everyone finishes and everything is read back. Fails, and leaves the history there, if a promise was broken.
    pub async fn end(self) -> Verdict {
        self.load.end().await.unwrap_or_else(|e| panic!("{e:#}\nthe history is {}", self.history.display()));
        let verdict = oracle::judge(&self.history).unwrap();
        println!("{verdict}");
        assert!(verdict.is_good(), "{verdict}\nthe history is {}", self.history.display());
        std::fs::remove_file(&self.history).unwrap();
        verdict
    }
}
