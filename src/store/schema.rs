//! Migrations, the two roles, and whether what is there fits this program.

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row, migrate::Migrator};

use super::{
    Database, StoreError,
    postgres::{MAY_SET_ROLE, Schema},
};

static MIGRATOR: Migrator = sqlx::migrate!();
static PRIVILEGES: &str = include_str!("privileges.sql");

/// What a schema says of itself that is there only while projections are made anew.
pub(super) const BESIDE: &str = "catalog audit rebuild: may be dropped";

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The database did not answer, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A migration failed, or one that was applied is not this program's.
    #[error("the schema cannot be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The schema is older than the program.
    #[error("the schema '{schema}' is at version {found}, this program needs {needed}")]
    Outdated {
        /// The schema.
        schema: String,
        /// Its version, 0 when it is empty.
        found: i64,
        /// The program's.
        needed: i64,
    },
    /// The program is older than the schema.
    #[error("the schema '{schema}' is at version {found}, newer than this program's {needed}")]
    TooNew {
        /// The schema.
        schema: String,
        /// Its version.
        found: i64,
        /// The program's.
        needed: i64,
    },
}

impl SchemaError {
    /// What the reader can do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Store(_) | Self::Migration(_) => None,
            Self::Outdated { .. } => Some("run 'catalog migrate' as the owner of the schema"),
            Self::TooNew { .. } => Some("run a program at least as new as the one that migrated the schema"),
        }
    }
}

impl From<sqlx::Error> for SchemaError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The version that this program needs.
#[must_use]
pub fn version_needed() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Creates the schema where there is none, applies what is missing, and grants the writer its privileges.
/// Returns the version before. Safe to run any number of times, from any number of processes.
///
/// # Errors
/// [`SchemaError`].
pub async fn migrate(database: &Database) -> Result<i64, SchemaError> {
    let mut connection = database.connect_as_owner().await?;
    let schema = database.schema().as_str();
    // The key is a fixed number of our own; it only keeps two first starts from creating the same schema at once.
    connection.execute("select pg_advisory_lock(7228113430952113)").await?;
    // Whoever may not create schemas can still migrate one that was made for it.
    let there: bool = sqlx::query_scalar("select exists (select from pg_namespace where nspname = $1)")
        .bind(schema)
        .fetch_one(&mut connection)
        .await?;
    if !there {
        run(&mut connection, format!("create schema \"{schema}\"")).await?;
    }
    run(&mut connection, format!("set search_path to \"{schema}\"")).await?;
    let before = version_found(&mut connection).await?;
    if before > version_needed() {
        return Err(too_new(database, before));
    }
    MIGRATOR.run(&mut connection).await?;
    separate_roles(&mut connection, database).await?;
    sqlx::Connection::close(connection).await?;
    Ok(before)
}

/// Creates a schema that only this process uses, without a role of its own.
pub(super) async fn create_beside(database: &Database) -> Result<(), SchemaError> {
    let mut connection = database.connect_as_owner().await?;
    let schema = database.schema().as_str();
    let created = format!(
        "create schema \"{schema}\"; comment on schema \"{schema}\" is '{BESIDE}'; set search_path to \"{schema}\""
    );
    run(&mut connection, created).await?;
    MIGRATOR.run(&mut connection).await?;
    Ok(sqlx::Connection::close(connection).await?)
}

/// Does at once what autovacuum does within minutes: without it what has just been filled is planned as if it were empty.
/// Whoever does not own the tables changes nothing.
///
/// # Errors
/// [`StoreError`].
pub async fn vacuum(database: &Database) -> Result<(), StoreError> {
    let mut connection = database.connect_as_owner().await?;
    run(&mut connection, format!("set search_path to \"{}\"", database.schema().as_str())).await?;
    let filled = "vacuum (analyze) events, issued_tokens, token_revocations, token_names, token_teams, token_permissions, \
                  token_spans";
    connection.execute(filled).await?;
    Ok(sqlx::Connection::close(connection).await?)
}

/// Makes the schema fit at a start: migrates an older one if allowed, at the cost of one query when nothing is to be done.
///
/// # Errors
/// [`SchemaError`].
pub async fn ensure(database: &Database, may_migrate: bool) -> Result<(), SchemaError> {
    let mut connection = database.connect_as_writer().await?;
    let fits = judge(database, version_found(&mut connection).await?);
    sqlx::Connection::close(connection).await?;
    match fits {
        Err(SchemaError::Outdated { .. }) if may_migrate => migrate(database).await.map(drop),
        fits => fits,
    }
}

/// Checks that the schema is the one that this program needs.
///
/// # Errors
/// [`SchemaError::Outdated`], [`SchemaError::TooNew`], or the database's own.
pub async fn check(database: &Database) -> Result<(), SchemaError> {
    let mut connection = database.reads().acquire().await?;
    judge(database, version_found(&mut connection).await?)
}

fn judge(database: &Database, found: i64) -> Result<(), SchemaError> {
    let needed = version_needed();
    match found.cmp(&needed) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => {
            Err(SchemaError::Outdated { schema: database.schema().as_str().to_owned(), found, needed })
        }
        std::cmp::Ordering::Greater => Err(too_new(database, found)),
    }
}

fn too_new(database: &Database, found: i64) -> SchemaError {
    SchemaError::TooNew { schema: database.schema().as_str().to_owned(), found, needed: version_needed() }
}

async fn version_found(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let there: bool =
        sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null").fetch_one(&mut *connection).await?;
    if !there {
        return Ok(0);
    }
    sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations where success")
        .fetch_one(connection)
        .await
}

/// Makes the writer role where that is allowed. Where it is not, [`warnings`] tells so at every start.
async fn separate_roles(connection: &mut PgConnection, database: &Database) -> Result<(), sqlx::Error> {
    let writer = database.schema().writer();
    let row = sqlx::query(
        "select exists (select from pg_roles where rolname = $1) as there,
                (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) as may_create",
    )
    .bind(&writer)
    .fetch_one(&mut *connection)
    .await?;
    let (mut there, may_create): (bool, bool) = (row.try_get("there")?, row.try_get("may_create")?);
    if !there && may_create {
        run(connection, once(&format!("create role \"{writer}\" nologin"))).await?;
        there = true;
    }
    if !there {
        return Ok(());
    }
    let may_set: bool =
        sqlx::query_scalar(AssertSqlSafe(format!("select pg_has_role(session_user, $1, {MAY_SET_ROLE})")))
            .bind(&writer)
            .fetch_one(&mut *connection)
            .await?;
    if !may_set && may_create {
        run(connection, once(&format!("grant \"{writer}\" to current_user"))).await?;
    }
    grant(connection, database.schema()).await
}

/// Grants the writer its privileges, where there is one.
pub(super) async fn grant(connection: &mut PgConnection, schema: &Schema) -> Result<(), sqlx::Error> {
    let writer = schema.writer();
    let there: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(&writer)
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(());
    }
    let schema = format!("\"{}\"", schema.as_str());
    run(connection, PRIVILEGES.replace("{schema}", &schema).replace("{writer}", &format!("\"{writer}\""))).await
}

/// Roles are the server's, not the database's: another database may be making the same one at this moment.
fn once(sql: &str) -> String {
    format!("do $$ begin {sql}; exception when duplicate_object or unique_violation then null; end $$")
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)
}

/// What an operator should know of the fences around the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The database's address is a superuser's, whom no privilege holds back.
    Superuser,
    /// The database's address is that of the tables' owner, who can drop their fences.
    Owner,
    /// Triggers that keep the log append-only are missing or off.
    TriggersOff(Vec<String>),
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Superuser => f.write_str(
                "the database's address is a superuser's, whom no privilege holds back: give servers a login that is only a \
                 member of the writer role",
            ),
            Self::Owner => f.write_str(
                "the database's address is that of the tables' owner, who can drop their fences: give servers a login that \
                 is only a member of the writer role",
            ),
            Self::TriggersOff(names) => {
                write!(f, "triggers that keep the log append-only are missing or off: {}", names.join(", "))
            }
        }
    }
}

/// Looks at who this process connects as, and at the triggers.
///
/// # Errors
/// [`StoreError`].
pub async fn warnings(database: &Database) -> Result<Vec<Warning>, StoreError> {
    let row = sqlx::query(include_str!("warnings.sql")).fetch_one(database.reads()).await?;
    let mut warnings = Vec::new();
    if row.try_get::<bool, _>("is_superuser")? {
        warnings.push(Warning::Superuser);
    } else if row.try_get::<bool, _>("is_owner")? {
        warnings.push(Warning::Owner);
    }
    let off: Vec<String> = row.try_get("triggers_off")?;
    if !off.is_empty() {
        warnings.push(Warning::TriggersOff(off));
    }
    Ok(warnings)
}
