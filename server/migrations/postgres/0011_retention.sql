-- How long rooms keep their messages. The version before carries the setting and
-- what has become too old in the archive, and folds neither: the next that becomes
-- too old takes the rest along.

-- In days; 0: for ever.
alter table rooms add column keep_days bigint not null default 0;
-- There are no messages up to here any more.
alter table rooms add column expired_epoch bigint not null default 0;
alter table rooms add column expired_offset bigint not null default 0;
-- When somebody is to look again; not folded, and no matter if it is lost.
alter table rooms add column look_at bigint not null default 0;

-- Where something may have become too old.
create index rooms_forgetting on rooms (look_at) where keep_days > 0;
