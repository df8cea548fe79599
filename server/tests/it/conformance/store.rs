//! What a store promises, asked of SQLite and of PostgreSQL.

pub mod place;

mod accounts;
mod archive;
pub mod chat;
mod files;
mod fold;
mod fold_kinds;
mod history;
mod invites;
mod operation;
mod people;
mod pins;
mod plans;
mod retention;
mod rooms;
mod running;
mod search;
mod sessions;
mod unread;
mod upkeep;

/// Of PostgreSQL alone: a file has one process.
#[tokio::test]
async fn nodes_that_start_at_once_find_the_same_tables() {
    let place = place::Place::postgres().await;
    let stores = futures::future::join_all((0..4).map(|_| place.open())).await;
    for store in stores {
        store.check().await.expect("it answers");
    }
    place.remove().await;
}

/// Of SQLite alone: PostgreSQL keeps no order of terms.
#[tokio::test]
async fn what_was_indexed_the_oldest_first_is_found_after_an_update_and_after_going_back() {
    search::indexed_the_oldest_first(&place::Place::sqlite()).await;
}

/// Each name is a test of both adapters: `sqlite::…` and `postgres::…`.
macro_rules! of_both_adapters {
    ($($file:ident: $($name:ident),+;)+) => {
        mod sqlite {
            $($(
                #[tokio::test]
                async fn $name() {
                    let place = super::place::Place::sqlite();
                    super::$file::$name(&place).await;
                    place.remove().await;
                }
            )+)+
        }
        mod postgres {
            $($(
                #[tokio::test]
                async fn $name() {
                    let place = super::place::Place::postgres().await;
                    super::$file::$name(&place).await;
                    place.remove().await;
                }
            )+)+
        }
    };
}

of_both_adapters! {
    plans:
        what_is_read_most_goes_through_no_whole_room;
    accounts:
        an_account_is_found_by_its_user_name,
        a_user_name_is_taken_once,
        nodes_that_make_the_same_account_at_once_make_it_once,
        of_many_who_would_be_the_first_administrator_one_is;
    sessions:
        a_session_is_live_until_it_expires,
        ended_is_ended,
        a_refresh_token_is_good_once_and_using_it_again_ends_its_session,
        of_many_who_bring_a_refresh_token_at_once_one_gets_a_new_one,
        a_refresh_token_of_an_expired_session_is_unknown,
        ending_all_sessions_of_an_account_spares_those_of_others;
    people:
        ones_own_sessions_are_listed_and_ended_and_nobody_elses,
        a_password_is_changed_by_who_knows_the_old_one_and_the_other_sessions_end,
        another_display_name_is_beside_older_messages_too,
        sessions_that_have_long_been_over_are_forgotten,
        an_act_and_its_entry_in_the_audit_log_are_one,
        a_suspended_account_has_no_live_session,
        there_is_always_an_administrator,
        accounts_are_found_by_part_of_a_name_and_paged,
        all_rooms_are_listed_but_direct_conversations;
    rooms:
        a_room_is_found_by_id_and_by_slug,
        a_slug_is_taken_once,
        nodes_that_make_the_same_room_at_once_make_it_once,
        a_list_of_rooms_has_ones_own_first_and_nothing_that_one_may_not_know_of,
        a_list_of_rooms_ends_at_500,
        members_are_listed_by_name_whatever_its_case,
        who_joins_twice_has_the_last_role_and_who_leaves_has_none,
        a_read_marker_moves_forward_only;
    running:
        a_room_is_what_it_was_last_changed_to,
        a_moderator_is_one_until_they_are_something_else,
        who_was_taken_out_is_remembered_until_they_are_back,
        an_archived_room_is_in_a_list_of_its_own,
        rooms_are_found_by_name_and_topic_in_any_case_and_paged,
        what_the_rows_lack_of_changes_is_found_and_put_right;
    invites:
        a_link_is_good_until_it_is_too_old_or_taken_back,
        of_many_who_come_in_by_the_last_use_one_gets_in,
        a_room_has_a_hundred_links_at_most_and_old_ones_make_room,
        a_link_knows_what_was_folded_before_it_was_made;
    unread:
        what_others_have_posted_since_one_has_read_is_unread,
        a_mention_is_of_the_name_and_not_of_one_that_begins_alike,
        unread_messages_are_counted_up_to_a_hundred,
        whoever_writes_much_and_reads_nothing_counts_what_came_lately,
        how_much_one_wants_to_be_told_of_is_kept;
    fold:
        progress_moves_with_the_rows_and_only_from_where_the_batch_begins,
        a_batch_without_records_moves_the_progress,
        of_two_who_fold_the_same_batch_at_once_one_is_refused,
        the_first_of_several_records_with_one_message_id_stands,
        one_message_id_in_two_rooms_is_two_messages,
        a_record_that_cannot_be_applied_is_named_and_nothing_is_folded,
        what_is_buried_is_passed_by_and_once_only,
        batches_of_any_size_give_the_same_rows_and_so_do_partitions_together,
        partitions_are_folded_together_or_not_at_all;
    fold_kinds:
        unknown_kinds_are_kept,
        an_edit_changes_the_text_if_it_is_the_authors,
        deleting_blanks_projection_and_archive,
        an_edit_after_the_deletion_is_not_kept,
        reactions_are_listed_in_order_of_time_and_each_once,
        a_text_with_nul_is_poison;
    pins:
        the_last_pinned_is_listed_first_and_each_once,
        nothing_is_pinned_that_is_not_there_any_more,
        a_list_and_its_position_are_of_one_moment,
        every_wrong_pin_is_found_and_put_right;
    retention:
        of_what_has_become_too_old_nothing_is_left_but_places,
        where_everything_is_too_old_nothing_is_unread_and_the_room_is_known_up_to_there,
        what_has_become_too_old_is_not_posted_again_nor_edited,
        a_room_that_forgets_is_told_to_one_who_asks_and_again_in_time,
        what_came_back_of_the_forgotten_is_found_and_taken_out,
        a_dead_letter_that_is_too_old_by_now_comes_to_its_place_without_its_text;
    history:
        a_room_without_messages_has_an_empty_page,
        history_is_paged_in_both_directions,
        around_a_message_there_are_older_and_newer_ones,
        every_page_says_as_of_when_its_rows_stand,
        a_page_that_stops_short_covers_the_room_up_to_its_last_message,
        a_page_and_its_position_are_of_one_moment,
        a_thread_is_a_message_and_what_answers_it;
    search:
        a_message_is_found_by_its_words_in_any_case_and_the_newest_first,
        scripts_without_spaces_are_found_by_any_stretch,
        an_edited_message_is_found_by_its_new_text_and_a_deleted_one_not_at_all,
        nothing_is_found_in_rooms_that_may_not_be_read,
        who_may_read_very_many_rooms_finds_what_is_in_them,
        what_is_found_is_paged_without_gap_or_double,
        a_search_can_be_for_an_author_and_for_what_was_sent_before,
        no_text_and_no_search_is_too_strange,
        what_the_version_before_has_written_is_indexed_later,
        nodes_that_index_at_once_index_everything_once,
        rebuilding_makes_the_index_too;
    files:
        a_file_comes_back_as_it_was_saved,
        a_file_that_no_message_names_is_forgotten_after_its_time,
        only_its_uploader_names_a_file_and_only_in_its_room,
        what_a_message_names_goes_with_it,
        what_has_become_too_old_goes_with_its_files,
        an_edit_names_files_and_lets_go_of_others,
        what_is_put_right_names_its_files_again;
    archive:
        the_archive_is_read_in_order_from_any_position,
        what_was_posted_is_told_whatever_was_edited;
    operation:
        what_was_acknowledged_is_there_after_opening_again,
        the_epoch_is_one_at_first,
        a_call_that_is_blocked_is_given_up_in_time_and_works_again_later,
        a_call_that_its_caller_drops_is_done_wholly_or_not_at_all,
        a_store_that_a_later_version_has_used_opens_all_the_same;
    upkeep:
        a_room_that_was_only_folded_agrees_with_itself,
        an_event_that_was_changed_taken_out_or_put_in_is_found,
        the_version_before_goes_on_writing_beside_this_one,
        every_wrong_row_is_found_and_put_right,
        what_is_folded_while_a_room_is_mended_is_not_lost,
        mending_beside_folding_changes_nothing_that_is_right,
        what_this_version_does_not_know_is_carried_whole,
        a_dead_letter_comes_to_its_own_place_once,
        a_dead_letter_that_still_cannot_be_applied_stays,
        what_the_archive_lost_comes_back_from_the_log,
        a_new_epoch_comes_after_everything_before_it;
}
