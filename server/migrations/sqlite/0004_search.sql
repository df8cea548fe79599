-- What messages are found by. Only additions: a file that the version before has
-- written to again opens all the same. It leaves `place` null, and such rows are
-- indexed later.

-- The terms of each message, with those of its room and its author before them;
-- made by the program (search/terms.rs), so that both databases find the same.
-- The texts are not kept here a second time.
create virtual table message_terms using fts5 (
    terms, content = '', contentless_delete = 1, tokenize = "ascii tokenchars '#@'"
);

-- The row in `message_terms`: by place in the log, so that it gives the newest first.
alter table messages add column place integer;

create index messages_in_terms on messages (place) where place is not null;

create index messages_by_time on messages (sent_at);

create index messages_unindexed on messages (sent_at) where place is null and not deleted;

-- Whoever changes a text, the version before too: it is not found by what it was.
create trigger messages_text_changed after update of body on messages
    when old.place is not null and old.body is not new.body
begin
    delete from message_terms where rowid = old.place;
    update messages set place = null where room = new.room and id = new.id;
end;

create trigger messages_taken_out after delete on messages when old.place is not null
begin
    delete from message_terms where rowid = old.place;
end;
