//! How the databases go about what is read most.

use super::place::Place;
use server::store::{postgres::PostgresStore, sqlite::SqliteStore};
use sqlx::AssertSqlSafe;

pub async fn what_is_read_most_goes_through_no_whole_room(place: &Place) {
    drop(place.open().await);
    match place {
        Place::Sqlite(dir) => {
            let mut db = super::place::beside(dir).await;
            for (name, sql) in SqliteStore::READS {
                let explain = AssertSqlSafe(format!("explain query plan {sql}"));
                let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(&mut db).await.unwrap();
                let steps: Vec<String> = steps.into_iter().map(|step| step.3).collect();
                // Pages of the archive are called `e` themselves.
                let events = if sql.contains("events e") { " e " } else { " events " };
                let of_tables = |step: &&String| step.contains(" m ") || format!("{step} ").contains(events);
                for step in steps.iter().filter(of_tables) {
                    assert!(!step.starts_with("SCAN"), "{name}: {steps:#?}");
                    // A room's first column alone is all of the room; in the order of its places, a limit ends it.
                    let narrow = step.contains("offset_no)") || step.contains("id=?") || step.contains("message=?");
                    assert!(narrow || ends_early(name), "{name}: {step}");
                }
            }
        }
        Place::Postgres(database) => {
            let mut db = super::place::connect(&database.url).await;
            // In tables without rows a scan would be best. Generic: as for any values.
            for setting in ["enable_seqscan = off", "enable_bitmapscan = off", "plan_cache_mode = force_generic_plan"] {
                sqlx::query(AssertSqlSafe(format!("set {setting}"))).execute(&mut db).await.unwrap();
            }
            for (name, sql) in PostgresStore::READS {
                let values =
                    (1..=9).filter(|n| sql.contains(&format!("${n}"))).map(|_| "null").collect::<Vec<_>>().join(", ");
                sqlx::raw_sql(AssertSqlSafe(format!("deallocate all; prepare read as {sql}")))
                    .execute(&mut db)
                    .await
                    .unwrap();
                let explain = AssertSqlSafe(format!("explain (costs off) execute read ({values})"));
                let steps: Vec<String> =
                    sqlx::query_scalar(explain).persistent(false).fetch_all(&mut db).await.unwrap();
                let steps = steps.join("\n");
                assert!(
                    !steps.contains("Seq Scan on messages") && !steps.contains("Seq Scan on events"),
                    "{name}: {steps}"
                );
                assert!(steps.contains("Index Cond"), "{name}: {steps}");
            }
        }
    }
}

/// The newest message of a room: the first of its index.
fn ends_early(name: &str) -> bool {
    name == "unread"
}
