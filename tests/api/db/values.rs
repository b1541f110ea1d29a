//! Every kind of value comes back as it went in.

use vestibule::clock::Timestamp;
use vestibule::db::{DbError, Row, Statement, Value};

use crate::support::{self, TestDatabase};

const ALL: &str = "select t, n, b, x from kinds where id = $1";

async fn kinds() -> TestDatabase {
    let database = support::database().await;
    let script = "create table kinds (id bigint primary key, t text, n bigint, b boolean, x bytea) /*table*/";
    database.execute_script(script).await.unwrap();
    database
}

async fn round_trip(database: &TestDatabase, id: i64, values: [Value; 4]) -> Row {
    let mut insert =
        Statement::new("insert into kinds (id, t, n, b, x) values ($1, $2, $3, $4, $5) returning t, n, b, x")
            .bind(id);
    for value in values {
        insert = insert.bind(value);
    }
    let applied = database.apply(insert).await.unwrap();
    let fetched = database.fetch(Statement::new(ALL).bind(id)).await.unwrap();
    assert_eq!(format!("{:?}", applied.rows(0)), format!("{fetched:?}"));
    fetched.into_iter().next().unwrap()
}

#[tokio::test]
async fn every_kind_comes_back_as_it_went_in() {
    let database = kinds().await;
    let long = "ü€𝄞'\"$1\\".repeat(100_000);
    let texts = ["", "plain", "it's", "tab\tline\n", &long];
    let numbers = [0, 1, -1, i64::MAX, i64::MIN];
    let many = vec![7; 70_000];
    let byte_rows: [&[u8]; 5] = [b"", b"\0", b"\xff\0\xfe", &many, b"x"];
    for index in 0..5 {
        let row = round_trip(
            &database,
            i64::try_from(index).unwrap(),
            [texts[index].into(), numbers[index].into(), (index % 2 == 0).into(), byte_rows[index].into()],
        )
        .await;
        assert_eq!(row.text("t").unwrap(), texts[index]);
        assert_eq!(row.int("n").unwrap(), numbers[index]);
        assert_eq!(row.instant("n").unwrap(), Timestamp::from_millis(numbers[index]));
        assert_eq!(row.bool("b").unwrap(), index % 2 == 0);
        assert_eq!(row.bytes("x").unwrap(), byte_rows[index]);
    }
}

#[tokio::test]
async fn null_is_null_in_every_kind() {
    let database = kinds().await;
    let row = round_trip(&database, 1, [Value::Null, None::<i64>.into(), Value::Null, Value::Null]).await;
    assert!(["t", "n", "b", "x"].iter().all(|column| row.is_null(column).unwrap()));
    assert_eq!(row.maybe_text("t").unwrap(), None);
    assert_eq!(row.maybe_int("n").unwrap(), None);
    assert_eq!(row.maybe_instant("n").unwrap(), None);
    assert_eq!(row.maybe_bool("b").unwrap(), None);
    assert_eq!(row.maybe_bytes("x").unwrap(), None);
    for error in [row.text("t").unwrap_err(), row.bytes("x").unwrap_err(), row.bool("b").unwrap_err()] {
        assert!(matches!(error, DbError::Failed(_)), "{error:?}");
    }
}

#[tokio::test]
async fn text_with_a_nul_is_refused_by_either_engine() {
    let database = kinds().await;
    let statement = Statement::new("insert into kinds (id, t) values (1, $1)").bind("a\0b");
    for error in [
        database.apply(statement.clone()).await.unwrap_err(),
        database.fetch(statement.clone()).await.unwrap_err(),
        database.list(statement).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("parameter 1 holds a NUL"), "{error}");
    }
}

#[tokio::test]
async fn a_column_that_is_missing_or_of_another_kind_is_named() {
    let database = kinds().await;
    let row = round_trip(&database, 1, ["t".into(), 7.into(), true.into(), Value::Null]).await;
    for (error, name) in [
        (row.text("nowhere").unwrap_err(), "nowhere"),
        (row.text("n").unwrap_err(), "column n"),
        (row.int("t").unwrap_err(), "column t"),
        (row.bool("n").unwrap_err(), "column n"),
    ] {
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_parameter_may_be_used_twice_and_out_of_order() {
    let database = kinds().await;
    let statement = Statement::new(
        "insert into kinds (n, t, id) values ($3, $1, $2) on conflict (id) do update set t = $1 returning t, n, id",
    );
    let rows = database.apply(statement.bind("text").bind(5).bind(9)).await.unwrap();
    let row = &rows.rows(0)[0];
    assert_eq!(
        (row.text("t").unwrap(), row.int("id").unwrap(), row.int("n").unwrap()),
        ("text".into(), 5, 9)
    );
}

#[tokio::test]
async fn literals_that_look_like_parameters_or_words_are_left_alone() {
    let database = kinds().await;
    let rows = database.fetch(Statement::new("select '$1 bigint it''s' as \"t$1\" -- $2")).await.unwrap();
    assert_eq!(rows[0].text("t$1").unwrap(), "$1 bigint it's");
}
