//! Searching: what may be found is the store's to know, and what this node knows better.

use super::{Service, store_failed};
use crate::{
    search::{Query, excerpt::excerpt},
    store::{FoundAt, RoomRow, Search},
};
use app::{
    backend::Viewer,
    error::{ApiError, Outcome},
    model::{FoundIn, Message, RoomId, SearchHit, SearchPage, SearchQuery, UserId, Username, Visibility},
};
use futures::future::try_join_all;
use std::{collections::BTreeMap, time::Duration};

const DEFAULT_PAGE: u32 = 20;
const MAX_PAGE: u32 = 50;
/// How long a search waits for its turn.
const TURN: Duration = Duration::from_secs(2);
/// How often a search is asked again without rooms that the store wrongly thinks somebody is in.
const TRIES: usize = 4;

impl Service {
    pub(super) async fn do_search(&self, who: Option<&Viewer>, search: &SearchQuery) -> Result<SearchPage, ApiError> {
        let query = Query::parse(&search.q)?;
        let limit = search.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(ApiError::invalid("limit is 1 to 50"));
        }
        let after = search.before.as_deref().filter(|before| !before.is_empty()).map(str::parse::<FoundAt>);
        let after = after.transpose().map_err(|_| ApiError::invalid("before is the `next` of a page"))?;
        let user = who.map(|who| who.user.id);
        self.limits.search(user)?;
        let room = match query.room.as_deref().or(search.room.as_deref().filter(|room| !room.is_empty())) {
            Some(room) => Some(self.searchable(who, room).await?),
            None => None,
        };
        let author = match &query.from {
            Some(name) => match self.author(name).await? {
                Some(author) => Some(author),
                None => return Ok(SearchPage::default()),
            },
            None => None,
        };
        // Few at a time: whoever reads and writes does not wait for those who search.
        let _turn = match tokio::time::timeout(TURN, self.searching.acquire()).await {
            Ok(Ok(turn)) => turn,
            _ => return Err(ApiError::unavailable(Outcome::NotPersisted)),
        };
        let Query { phrases, sent_before, .. } = query;
        let mut search = Search { who: user, phrases, author, room, not_in: Vec::new(), sent_before, after, limit };
        for _ in 0..TRIES {
            let mut found = self.store.search(&search).await.map_err(store_failed)?;
            found.hits.iter_mut().for_each(|(room, _)| self.rooms.catch_up(room));
            let left = self.left(who, &found.hits).await?;
            if left.is_empty() {
                let next = found
                    .hits
                    .last()
                    .filter(|_| found.more)
                    .map(|(room, last)| FoundAt { sent_at: last.sent_at, room: room.id, at: last.at }.to_string());
                let hit = |(room, message): (RoomRow, Message)| SearchHit {
                    excerpt: excerpt(&message.body, &search.phrases),
                    room: FoundIn { id: room.id, slug: room.slug, name: room.name },
                    message,
                };
                return Ok(SearchPage { hits: found.hits.into_iter().map(hit).collect(), more: found.more, next });
            }
            search.not_in.extend(left);
        }
        Err(ApiError::unavailable(Outcome::NotPersisted))
    }

    /// A room that is named is one that may be read. One that must be joined first has nothing to be found.
    async fn searchable(&self, who: Option<&Viewer>, room: &str) -> Result<RoomId, ApiError> {
        match self.readable(who, room).await {
            Ok(access) => Ok(access.room.id),
            Err(ApiError::Forbidden { .. }) => Err(ApiError::NotFound),
            Err(e) => Err(e),
        }
    }

    /// Somebody by their user name; a name that nobody can have is nobody's.
    async fn author(&self, name: &str) -> Result<Option<UserId>, ApiError> {
        let Ok(name) = Username::parse(name) else { return Ok(None) };
        let account = self.store.account(name.as_str()).await.map_err(store_failed)?;
        Ok(account.map(|account| account.user.id))
    }

    /// Rooms of what was found that the viewer may not read any more, though the store does not know yet.
    async fn left(&self, who: Option<&Viewer>, hits: &[(RoomRow, Message)]) -> Result<Vec<RoomId>, ApiError> {
        let rooms: BTreeMap<RoomId, &RoomRow> =
            hits.iter().filter(|(room, _)| room.visibility != Visibility::Public).map(|(r, _)| (r.id, r)).collect();
        let asked = rooms.values().map(|room| async move {
            let role = match who {
                Some(who) => self.roles.of(room, who.user.id).await.map_err(store_failed)?,
                None => None,
            };
            Ok::<_, ApiError>(role.is_none().then_some(room.id))
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }
}
