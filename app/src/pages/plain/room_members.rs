use super::settings::May;
use crate::{
    api::{AddMember, RemoveMember, SetRole},
    components::{Avatar, Field},
    model::{Member, Role, Room, Visibility},
    session,
};
use leptos::{prelude::*, server_fn::ServerFn};
use std::cmp::Reverse;

/// Who is in the room, as what; for those who may, the forms that change it.
#[component]
pub fn RoomMembers(
    /// The room.
    room: Room,
    /// Who is in it, as far as a list goes.
    members: Vec<Member>,
    /// What the viewer may do.
    may: May,
) -> impl IntoView {
    let mut members = members;
    members.sort_by_cached_key(|member| (Reverse(member.role), member.user.display_name.to_lowercase()));
    let title = match room.members {
        1 => "1 member".to_owned(),
        n => format!("{n} members"),
    };
    let cut = (room.members > members.len() as u64 && !members.is_empty())
        .then(|| view! { <p class="hint">{format!("The first {} are listed.", members.len())}</p> });
    let empty = members.is_empty().then(|| view! { <p class="hint">"Members see who is in this room."</p> });
    // Any member brings others into a public room.
    let adds = !room.archived && (may.run || room.role.is_some() && room.visibility == Visibility::Public);
    let add = adds.then(|| {
        view! {
            <form class="add-member" method="post" action=AddMember::url()>
                <input type="hidden" name="room" value=room.slug.clone() />
                <Field label="Add somebody by user name" name="person" maxlength=40 autocomplete="off" />
                <button class="button">"Add"</button>
            </form>
        }
    });
    let slug = room.slug;
    view! {
        <section class="card form" aria-labelledby="people">
            <h2 id="people">{title}</h2>
            <ul class="people">
                {members.into_iter().map(|member| view! { <Person member slug=slug.clone() may /> }).collect_view()}
            </ul>
            {cut}
            {empty}
            {add}
        </section>
    }
}

#[component]
fn Person(member: Member, slug: String, may: May) -> impl IntoView {
    let Member { user, role } = member;
    let (name, username) = (user.display_name.clone(), user.username.clone());
    let me = session::me().is_some_and(|me| me.id == user.id);
    let handle = (!user.guest).then(|| format!("@{username}"));
    let word = match role {
        Role::Owner => "Owner",
        Role::Moderator => "Moderator",
        Role::Member if user.guest => "Guest",
        Role::Member => "Member",
    };
    let as_what = if may.own && !user.guest {
        let choices = [(Role::Member, "Member"), (Role::Moderator, "Moderator"), (Role::Owner, "Owner")];
        view! {
            <form method="post" action=SetRole::url()>
                <input type="hidden" name="room" value=slug.clone() />
                <input type="hidden" name="person" value=username.clone() />
                <select name="role" aria-label=format!("Role of {name}")>
                    {choices
                        .map(|(value, label)| {
                            view! {
                                <option value=value.as_str() selected=value == role>
                                    {label}
                                </option>
                            }
                        })
                        .collect_view()}
                </select>
                <button class="button quiet" aria-label=format!("Set the role of {name}")>
                    "Set"
                </button>
            </form>
        }
        .into_any()
    } else {
        view! { <span class="hint">{word}</span> }.into_any()
    };
    let remove = (!me && (may.own || may.run && !role.runs())).then(|| {
        view! {
            <form method="post" action=RemoveMember::url()>
                <input type="hidden" name="room" value=slug />
                <input type="hidden" name="person" value=username />
                <button class="button quiet danger" aria-label=format!("Remove {name}")>
                    "Remove"
                </button>
            </form>
        }
    });
    view! {
        <li>
            <Avatar user />
            <span class="who">
                <strong>{name} {me.then_some(" (you)")}</strong>
                {handle.map(|handle| view! { <span class="hint">{handle}</span> })}
            </span>
            <span class="controls">{as_what} {remove}</span>
        </li>
    }
}
