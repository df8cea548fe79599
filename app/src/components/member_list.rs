use super::{Actions, Avatar, Notifications, PinnedList};
use crate::{
    api::{Direct, Leave},
    direct::is_direct,
    live::Live,
    model::{Member, Role, RoomId},
    reactive::memo,
    session, url,
};
use leptos::{prelude::*, server_fn::ServerFn};

/// Who is in the room: a pane where there is space, else a sheet that a button opens.
#[component]
pub fn MemberList(
    /// What can be done in this room, and its state.
    actions: Actions,
) -> impl IntoView {
    let (state, slug) = (actions.state(), actions.slug());
    let member = memo(move || actions.role().is_some());
    let registered = session::me().is_some_and(|me| !me.guest);
    let direct = is_direct(&slug);
    let room = state.with_untracked(|state| state.id());
    let members = memo(move || {
        state.with(|state| {
            let mut members = state.members().to_vec();
            members
                .sort_by_cached_key(|member| (std::cmp::Reverse(member.role), member.user.display_name.to_lowercase()));
            members
        })
    });
    view! {
        <aside id="members" class="details" popover="auto" aria-label="Members">
            <button type="button" class="button quiet close" popovertarget="members" popovertargetaction="hide">
                "Close"
            </button>
            <PinnedList actions />
            <h2>"Members"</h2>
            <ul class="members">
                <For each=move || members.get() key=|member| (member.user.id, member.role) let:member>
                    <MemberItem member room may_write=registered && !direct direct />
                </For>
            </ul>
            {
                let slug = slug.clone();
                move || {
                    member
                        .get()
                        .then(|| {
                            view! {
                                <h2>"Notifications"</h2>
                                <Notifications room slug=slug.clone() />
                            }
                        })
                }
            }
            {move || {
                (member.get() && !direct)
                    .then(|| {
                        view! {
                            <a class="button quiet" rel="external" href=url::settings(&slug)>
                                "Room settings"
                            </a>
                            <form method="post" action=Leave::url()>
                                <input type="hidden" name="room" value=slug.clone() />
                                <button class="button quiet">"Leave this room"</button>
                            </form>
                        }
                    })
            }}
        </aside>
    }
}

#[component]
fn MemberItem(member: Member, room: RoomId, may_write: bool, direct: bool) -> impl IntoView {
    let (live, username) = (use_context::<Live>(), member.user.username.clone());
    let here = memo(move || live.is_some_and(|live| live.present().with(|here| here.has(room, &username))));
    let name = member.user.display_name.clone();
    // Anybody may call themselves Ada; only one is @ada. A guest's name is given by the server.
    let handle = (!member.user.guest && name != member.user.username).then(|| format!("@{}", member.user.username));
    let note = match (member.role, member.user.guest) {
        (Role::Owner, _) if !direct => "Owner",
        (Role::Moderator, _) => "Moderator",
        (_, true) => "Guest",
        (_, false) => "",
    };
    let me = session::me().map(|me| me.id);
    let person = member.user.username.clone();
    let write = (may_write && !member.user.guest && Some(member.user.id) != me).then(|| {
        view! {
            <form method="post" action=Direct::url()>
                <input type="hidden" name="person" value=person />
                <button class="write" aria-label=format!("Direct message to {name}") title="Direct message">
                    <svg viewBox="0 0 24 24" aria-hidden="true">
                        <path d="M4 5h16v11H9l-5 4z" />
                    </svg>
                </button>
            </form>
        }
    });
    view! {
        <li class:here=here>
            <Avatar user=member.user />
            <span class="name">
                {name} {handle.map(|handle| view! { <span class="handle">{handle}</span> })}
                {move || here.get().then(|| view! { <span class="visually-hidden">", here now"</span> })}
            </span>
            <span class="hint">{note}</span>
            {write}
        </li>
    }
}
