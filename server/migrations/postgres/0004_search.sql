-- What messages are found by. Only additions: the version before goes on writing
-- beside this one. It leaves `terms` null, and such rows are indexed later.

-- The terms of the text in their places, those of its room and its author without;
-- made by the program (search/terms.rs), so that both databases find the same.
alter table messages add column terms tsvector;

-- What was folded last waits in a list that every search reads whole: a short one.
create index messages_terms on messages using gin (terms) with (gin_pending_list_limit = 512) where terms is not null;

-- Newest first, for words that are in many messages.
create index messages_by_time on messages (sent_at, room, epoch, offset_no);

create index messages_unindexed on messages (sent_at) where terms is null and not deleted;

-- Whoever changes a text, the version before too: it is not found by what it was.
create function messages_text_changed() returns trigger language plpgsql as $$
begin
    new.terms := null;
    return new;
end
$$;

create trigger messages_text_changed before update of body on messages
    for each row when (old.body is distinct from new.body) execute function messages_text_changed();
