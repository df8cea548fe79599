//! Records that cannot be applied.

use crate::support::{Installation, Kind, Person, in_both_modes, until};
use app::model::Position;
use bytes::Bytes;
use serde_json::json;
use server::{
    config::Mode,
    log::{Log, kafka::KafkaLog},
};
use sqlx::{PgPool, Row, SqlitePool};

in_both_modes!(
    a_record_that_fails_for_no_clear_reason_is_tried_singled_out_and_buried,
    a_partition_whose_dead_letter_cannot_be_written_stands_still_alone_and_goes_on_after,
    when_every_record_fails_none_is_buried_and_all_are_there_after,
);

/// The store's database, as an operator gets at it.
enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Database {
    async fn of(installation: &Installation) -> Self {
        match &installation.mode {
            Mode::Embedded { data_dir } => {
                let url = format!("sqlite://{}", data_dir.join("store.db").display());
                Self::Sqlite(SqlitePool::connect(&url).await.unwrap())
            }
            Mode::Cluster { database, .. } => Self::Postgres(PgPool::connect(database.url.expose()).await.unwrap()),
        }
    }

    async fn run(&self, sqlite: String, postgres: String) {
        match self {
            Self::Sqlite(pool) => drop(sqlx::raw_sql(sqlx::AssertSqlSafe(sqlite)).execute(pool).await.unwrap()),
            Self::Postgres(pool) => drop(sqlx::raw_sql(sqlx::AssertSqlSafe(postgres)).execute(pool).await.unwrap()),
        }
    }

    /// From now on, inserting into a table fails where `column` is like `pattern`, with an error that says nothing.
    async fn refuse(&self, table: &str, column: &str, pattern: &str) {
        self.run(
            format!(
                "create trigger refuse_{table} before insert on {table} when new.{column} like '{pattern}'
                 begin select json('no json'); end"
            ),
            format!(
                "create function refuse_{table}() returns trigger language plpgsql as $$ begin
                     if new.{column} like '{pattern}' then raise exception 'no' using errcode = 'XX000'; end if;
                     return new;
                 end $$;
                 create trigger refuse_{table} before insert on {table} for each row execute function refuse_{table}()"
            ),
        )
        .await;
    }

    async fn accept(&self, table: &str) {
        self.run(format!("drop trigger refuse_{table}"), format!("drop trigger refuse_{table} on {table}")).await;
    }

    /// Offset and reason of each dead letter.
    async fn dead_letters(&self) -> Vec<(u64, String)> {
        const QUERY: &str = "select offset_no, reason from dead_letters order by partition_no, offset_no";
        let read = |offset: i64, reason| (u64::try_from(offset).unwrap(), reason);
        match self {
            Self::Sqlite(pool) => {
                let rows = sqlx::query(QUERY).fetch_all(pool).await.unwrap();
                rows.iter().map(|r| read(r.get(0), r.get(1))).collect()
            }
            Self::Postgres(pool) => {
                let rows = sqlx::query(QUERY).fetch_all(pool).await.unwrap();
                rows.iter().map(|r| read(r.get(0), r.get(1))).collect()
            }
        }
    }
}

async fn a_record_that_fails_for_no_clear_reason_is_tried_singled_out_and_buried(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let database = Database::of(&installation).await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let mut socket = ada.socket().await;
    socket.subscribe(&room, None).await;
    database.refuse("messages", "body", "%refused%").await;
    let (mut expected, mut refused, mut last) = (Vec::new(), Vec::new(), Position::START);
    for i in 0..40 {
        let body = if i % 19 == 7 { format!("refused {i}") } else { i.to_string() };
        let (_, at) = ada.post(&room, &body).await;
        assert_eq!(socket.posted().await.1, at, "live does not wait for the store");
        if i % 19 == 7 {
            refused.push(at.offset);
        } else {
            expected.push(body);
        }
        last = at;
    }
    assert_eq!(ada.bodies(&room, last).await, expected);
    let letters = database.dead_letters().await;
    assert_eq!(letters.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), refused);
    assert!(letters.iter().all(|(_, reason)| reason.starts_with("tried 3 times: ")), "{letters:?}");
    node.server.shutdown().await;
}

async fn a_partition_whose_dead_letter_cannot_be_written_stands_still_alone_and_goes_on_after(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let database = Database::of(&installation).await;
    let ada = Person::register(&node.base, "ada").await;
    let mut rooms = Vec::new();
    for _ in 0..6 {
        rooms.push(ada.make_room("public").await);
    }
    database.refuse("messages", "body", "%refused%").await;
    database.refuse("dead_letters", "reason", "%").await;
    ada.post(&rooms[0], "refused").await;
    let (_, behind) = ada.post(&rooms[0], "behind it").await;
    let ready = async || -> serde_json::Value {
        reqwest::get(format!("{}/readyz", node.base)).await.unwrap().json().await.unwrap()
    };
    until("operators can see it", async || ready().await["parts"]["persist"]["state"] == "stuck").await;
    assert_eq!(ready().await["parts"]["persist"]["partitions"].as_array().unwrap().len(), 1);
    if kind == Kind::Cluster {
        // Rooms of other partitions are stored as always. Of seven rooms in four partitions some are elsewhere.
        let mut stored = 0;
        for room in &rooms[1..] {
            let (_, at) = ada.post(room, "elsewhere").await;
            let page = ada.history(room, &format!("?at_least={at}")).await;
            stored += usize::from(page["messages"].as_array().unwrap().len() == 1);
        }
        assert!(stored > 0);
    }
    database.accept("dead_letters").await;
    assert_eq!(ada.bodies(&rooms[0], behind).await, ["behind it"]);
    assert_eq!(database.dead_letters().await.len(), 1);
    assert_eq!(ready().await["parts"]["persist"], json!({ "state": "running" }));
    node.server.shutdown().await;
}

async fn when_every_record_fails_none_is_buried_and_all_are_there_after(kind: Kind) {
    let installation = Installation::new(kind).await;
    let node = installation.start().await;
    let database = Database::of(&installation).await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    until("the greeting is stored", async || {
        let (_, page) = ada.get("/rooms/welcome/messages").await;
        page["messages"].as_array().is_some_and(|messages| !messages.is_empty())
    })
    .await;
    // Something is wrong with the store, whatever is put into it.
    database.refuse("messages", "body", "%").await;
    let (mut sent, mut last) = (Vec::new(), Position::START);
    for i in 0..10 {
        sent.push(i.to_string());
        last = ada.post(&room, &sent[i]).await.1;
    }
    until("it stands still", async || {
        let ready: serde_json::Value =
            reqwest::get(format!("{}/readyz", node.base)).await.unwrap().json().await.unwrap();
        ready["parts"]["persist"]["state"] == "stuck"
    })
    .await;
    let buried = database.dead_letters().await.len();
    assert!(buried <= 3, "three in a row may be bad luck");
    database.accept("messages").await;
    assert_eq!(ada.bodies(&room, last).await, sent[buried..]);
    node.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_record_is_buried_with_its_place_and_the_partition_goes_on() {
    let installation = Installation::new(Kind::Cluster).await;
    let node = installation.start().await;
    let database = Database::of(&installation).await;
    let ada = Person::register(&node.base, "ada").await;
    let room = ada.make_room("public").await;
    let Mode::Cluster { kafka, .. } = &installation.mode else { unreachable!("a cluster") };
    let log = KafkaLog::connect(kafka, 4).await.unwrap();
    let mut junk = Vec::new();
    for partition in 0..4 {
        let payload = Bytes::from_static(b"{ no record \0");
        junk.push(log.append(partition, room.parse().unwrap(), payload).await.unwrap());
    }
    let (_, last) = ada.post(&room, "after the junk").await;
    assert_eq!(ada.bodies(&room, last).await, ["after the junk"]);
    until("all are buried", async || database.dead_letters().await.len() == 4).await;
    let letters = database.dead_letters().await;
    assert_eq!(letters.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), junk);
    assert!(letters.iter().all(|(_, reason)| reason.contains("not a record")), "{letters:?}");
    log.close().await;
    node.server.shutdown().await;
}
