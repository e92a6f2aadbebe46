//! Each fault of the read wire, as Google's client meets it. The table behind is a generated one: it starts at once.

use std::time::{Duration, Instant};

use google_cloud_bigquery::client::Read;
use google_cloud_bigquery::model::ReadSession;
use google_cloud_gax::error::rpc;
use local::generated::{Generated, Options};
use local::read::{ReadFault, ReadRequest, ReadWire, Status, rst_stream};

use crate::reading::{Ask, client, messages, numbers, session, stream};

const ROWS: u32 = 23_000;

struct Setting {
    _generated: Generated,
    wire: ReadWire,
    client: Read,
}

impl Setting {
    async fn start() -> Self {
        let generated = Generated::start(Options { rows: ROWS, shards: 1, ..Options::default() }).await.unwrap();
        generated.create_table("app", "users");
        let wire = ReadWire::start(&generated.grpc_endpoint()).await.unwrap();
        let client = client(&wire.endpoint()).await;
        Self { _generated: generated, wire, client }
    }

    async fn session(&self) -> ReadSession {
        session(&self.client, "app.users", Ask::default()).await.unwrap()
    }

    /// The offset of each call and the messages that it brought.
    fn calls(&self) -> Vec<(i64, usize)> {
        self.wire.rows().iter().map(|call| (call.offset, call.messages)).collect()
    }
}

fn every_id() -> Vec<i64> {
    (1..=i64::from(ROWS)).collect()
}

fn code<T: std::fmt::Debug>(result: google_cloud_bigquery::Result<T>) -> rpc::Code {
    result.unwrap_err().status().unwrap().code
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_resumed_by_the_client_at_its_offset() {
    let setting = Setting::start().await;
    for fault in [
        ReadFault::CutAfter { messages: 2, status: Status::unavailable("going away") },
        ReadFault::CutAfter { messages: 2, status: rst_stream() },
        ReadFault::DropAfter { messages: 2 },
    ] {
        let made = setting.session().await;
        setting.wire.forget();
        setting.wire.fault(1, fault.clone(), ReadRequest::is_rows);
        let read = messages(stream(&setting.client, &made, 0)).await.unwrap();
        assert_eq!(numbers(&made, &read, "id"), every_id(), "{fault:?}");
        let calls = setting.calls();
        // A message that was under way when its connection closed may not have come.
        assert!(calls.len() == 2 && calls[0].1 == 2 && calls[1].0 <= 10_000, "{fault:?}: {calls:?}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_early_shows_no_error() {
    let setting = Setting::start().await;
    let made = setting.session().await;
    setting.wire.fault(1, ReadFault::EndAfter { messages: 1 }, ReadRequest::is_rows);
    let read = messages(stream(&setting.client, &made, 0)).await.unwrap();
    assert_eq!(read.iter().map(|message| message.row_count).sum::<i64>(), 5_000);
    assert_eq!(made.estimated_row_count, i64::from(ROWS));
}

#[tokio::test]
async fn a_stream_that_hangs_says_nothing_until_it_is_opened_again() {
    let setting = Setting::start().await;
    let made = setting.session().await;
    setting.wire.fault(1, ReadFault::HangAfter { messages: 1 }, ReadRequest::is_rows);
    let mut reader = stream(&setting.client, &made, 0).into_reader();
    assert_eq!(reader.next().await.unwrap().unwrap().row_count, 5_000);
    let (next, ()) =
        tokio::join!(tokio::time::timeout(Duration::from_millis(200), reader.next()), setting.wire.held(),);
    assert!(next.is_err(), "neither a message nor an error");
    let rest = messages(stream(&setting.client, &made, 0).set_offset(5_000)).await.unwrap();
    assert_eq!(numbers(&made, &rest, "id"), every_id()[5_000..]);
}

#[tokio::test]
async fn a_refused_session_is_not_made() {
    let setting = Setting::start().await;
    for (status, expected) in [
        (Status::unavailable("try again"), rpc::Code::Unavailable),
        (Status::resource_exhausted("too many sessions"), rpc::Code::ResourceExhausted),
    ] {
        setting.wire.fault(1, ReadFault::Refuse(status), ReadRequest::is_session);
        assert_eq!(code(session(&setting.client, "app.users", Ask::default()).await), expected);
    }
    setting.session().await;
    let made: Vec<bool> = setting.wire.sessions().iter().map(|request| request.session.is_some()).collect();
    assert_eq!(made, [false, false, true]);
}

#[tokio::test]
async fn an_expired_session_is_over_and_a_new_one_is_not() {
    let setting = Setting::start().await;
    for (status, expected) in [
        (Status::failed_precondition("session expired"), rpc::Code::FailedPrecondition),
        (Status::not_found("session expired"), rpc::Code::NotFound),
    ] {
        let old = setting.session().await;
        setting.wire.expire_sessions(&status);
        assert_eq!(code(messages(stream(&setting.client, &old, 0)).await), expected);
        let new = setting.session().await;
        assert_eq!(messages(stream(&setting.client, &new, 0)).await.unwrap().len(), 5);
    }
}

#[tokio::test]
async fn a_fault_meets_only_the_calls_it_is_for_and_heals() {
    let setting = Setting::start().await;
    let made = setting.session().await;
    let elsewhere = |request: &ReadRequest| request.rows().is_some_and(|call| call.offset == 15_000);
    setting.wire.fault(9, ReadFault::Refuse(Status::permission_denied("no")), elsewhere);
    assert_eq!(messages(stream(&setting.client, &made, 0)).await.unwrap().len(), 5);
    let there = || stream(&setting.client, &made, 0).set_offset(15_000);
    assert_eq!(code(messages(there()).await), rpc::Code::PermissionDenied);
    setting.wire.heal();
    assert_eq!(numbers(&made, &messages(there()).await.unwrap(), "id"), every_id()[15_000..]);
}

#[tokio::test]
async fn latency_comes_before_each_answer() {
    let setting = Setting::start().await;
    setting.wire.delay(Duration::from_millis(50));
    let began = Instant::now();
    let made = setting.session().await;
    messages(stream(&setting.client, &made, 0)).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(100));
}
