//! The data folder: room, modes, and the two files in it.

use super::{Report, attach_log, look_at_both, look_at_store, settings, within};
use crate::{config::Config, store::sqlite::SqliteStore};
use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::PermissionsExt,
    path::Path,
};

const MIB: u64 = 1024 * 1024;
/// Less is worth a word, and much less a loud one.
const ROOM_WARNING: u64 = 1024 * MIB;
const ROOM_PROBLEM: u64 = 64 * MIB;

pub(super) async fn look(dir: &Path, config: &Config, report: &mut Report) {
    if !dir.is_dir() {
        return report.ok("data folder", format!("{} is not there yet: the first start makes it", dir.display()));
    }
    report.ok("data folder", dir.display().to_string());
    room(dir, report);
    modes(dir, report);
    serving(dir, report);
    if config.jwt_secret.is_none()
        && let Ok(kept) = fs::read_to_string(dir.join("jwt_secret"))
    {
        settings::strength("jwt_secret", &kept.into(), report);
    }
    let store = match within(SqliteStore::attach(dir)).await {
        Ok(store) => store,
        Err(e) if dir.join("store.db").exists() => {
            return report.problem("store.db", e, "restore it from a backup, or see what the file system says");
        }
        Err(_) if dir.join("log.db").exists() => {
            return report.problem(
                "store.db",
                "it is not there, and log.db is",
                "restore it from a backup: accounts and sessions are in no log; the log has what came after the backup",
            );
        }
        Err(_) => return report.ok("store.db", "not there yet: the first start makes it"),
    };
    look_at_store(&store, report).await;
    match within(attach_log(dir)).await {
        Ok(log) => look_at_both(&log, &store, None, report).await,
        Err(e) => report.problem(
            "log.db",
            e,
            "restore it; if it is lost for good, `partyline doctor --new-epoch` lets the store go on with a new one",
        ),
    }
}

fn room(dir: &Path, report: &mut Report) {
    match rustix::fs::statvfs(dir) {
        Ok(fs) => {
            let free = fs.f_bavail.saturating_mul(fs.f_frsize);
            let found = format!("{} MiB free", free / MIB);
            match free {
                0..ROOM_PROBLEM => report.problem("disk", found, "make room: soon nothing can be posted"),
                ROOM_PROBLEM..ROOM_WARNING => report.warn("disk", found, "make room"),
                _ => report.ok("disk", found),
            }
        }
        Err(e) => report.warn("disk", format!("its free room is not known: {e}"), ""),
    }
}

/// What is in the files is for their owner alone.
fn modes(dir: &Path, report: &mut Report) {
    let mut good = true;
    for name in ["log.db", "store.db", "jwt_secret"] {
        let Ok(found) = fs::metadata(dir.join(name)) else { continue };
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            good = false;
            report.warn("file modes", format!("{name} has {mode:o}: others may read it"), format!("chmod 600 {name}"));
        }
    }
    if good {
        report.ok("file modes", "the files are their owner's alone");
    }
}

fn serving(dir: &Path, report: &mut Report) {
    let Ok(lock) = File::open(dir.join("partyline.lock")) else { return };
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => report.ok("server", "it is running"),
        _ => report.ok("server", "it is not running"),
    }
}
