-- The directory behind the door: operators, what is known of customers and users, resets, imports, and the
-- numbering of events. Portable SQL, as 0001 says.

-- Who runs Vestibule, by token. What operators do stands under the system tenant or the tenant it is done to.
create table operators (
    id text not null primary key,
    name text not null,
    token_digest bytea not null,
    created_at bigint not null,
    expires_at bigint,
    revoked_at bigint
) /*table*/;
create unique index operators_by_token on operators (token_digest);

-- The signing key that is published and not used yet, and from when on it signs.
alter table tenants add column next_signing_kid text;
alter table tenants add column next_signs_at bigint;
-- What a text search looks at: slug and name, canonical, one space between them.
alter table tenants add column search text not null default '';
update tenants set search = lower(slug || ' ' || name);
-- A deleted tenant's rows go in slices; when nothing was left.
alter table tenants add column emptied_at bigint;
create index tenants_being_deleted on tenants (id) where status = 'deleted' and emptied_at is null;
-- No failed login is answered sooner than this, in milliseconds: while hashes that were imported are there,
-- which take another time than ours. 0: none is.
alter table tenants add column failure_floor_ms bigint not null default 0;

-- What people call the key.
alter table tenant_keys add column name text;
-- From when on it signs, when another key takes its place, and when it stopped to count.
alter table signing_keys add column signs_from bigint;
alter table signing_keys add column replaced_at bigint;
alter table signing_keys add column retired_at bigint;
create index signing_keys_replaced on signing_keys (replaced_at, tenant_id) where retired_at is null;

-- A JSON object: the documented category, and of an organization its legal name, numbers and so on.
alter table customers add column details text not null default '{}';
-- What a text search looks at: names and numbers, canonical, one space between them.
alter table customers add column search text not null default '';
alter table customers add column erased_at bigint;
-- Its users are still being erased.
alter table customers add column erasing boolean not null default false;
-- What a suspended customer was: resuming gives it back.
alter table customers add column status_before text;
-- One more with every change of the directory's: whoever changes a row names the one they looked at.
alter table customers add column revision bigint not null default 1;
create index customers_erasing on customers (tenant_id, id) where erasing;

alter table users add column username text;
-- A JSON object: birth, nationality and what else the registration asked of the person.
alter table users add column profile text not null default '{}';
-- A JSON object that only backend and staff may set.
alter table users add column metadata text not null default '{}';
alter table users add column search text not null default '';
-- The one session that sessions_not_before spares: the one in which its owner changed the password.
alter table users add column session_kept text;
-- The hash came from elsewhere and is not ours yet.
alter table users add column password_imported boolean not null default false;
alter table users add column erased_at bigint;
-- What was the person's is still being taken out of older rows.
alter table users add column erasing boolean not null default false;
-- As the customers'.
alter table users add column revision bigint not null default 1;
create index users_imported on users (tenant_id, id) where password_imported;
create index users_erasing on users (tenant_id, id) where erasing;

-- Rows from before, and of nodes of the older version, which do not say yet what a search looks at.
create index customers_unsearched on customers (tenant_id, id) where search = '' and erased_at is null;
create index users_unsearched on users (tenant_id, id) where search = '' and erased_at is null;

-- Phone numbers in E.164, to find a user by.
create table user_phones (
    tenant_id text not null,
    number text not null,
    user_id text not null,
    primary key (tenant_id, number, user_id),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
) /*table*/;
create index user_phones_by_user on user_phones (user_id, tenant_id);

-- The change in which the device was seen first: a login tells by it whether the device is new.
alter table devices add column change_id text;

-- Secrets with which a user who forgot the password sets a new one: once, and not for long. No user: it was asked
-- for a name that nobody has, so that the answers are alike.
create table password_resets (
    tenant_id text not null references tenants (id),
    secret_digest bytea not null,
    user_id text,
    created_at bigint not null,
    expires_at bigint not null,
    used_at bigint,
    primary key (tenant_id, secret_digest),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
) /*table*/;
create index password_resets_by_end on password_resets (expires_at, tenant_id);
-- One a user: a newer one takes its place.
create unique index password_resets_by_user on password_resets (user_id, tenant_id);

-- How far the import of a file has come: written in the same change as the users of its lines.
create table imports (
    tenant_id text not null references tenants (id),
    -- SHA-256 of the file, in hexadecimal.
    file_digest text not null,
    lines_done bigint not null,
    created bigint not null,
    -- Entries whose user was there already.
    present bigint not null default 0,
    refused bigint not null,
    started_at bigint not null,
    updated_at bigint not null,
    finished_at bigint,
    primary key (tenant_id, file_digest)
) /*table*/;

-- SHA-256 of salt and personal part: what is sealed of it, and what remains when a person is erased.
alter table events add column personal_digest bytea;
alter table events add column customer_id text;
-- Those without a number, in the order in which they will get one. It begins with the id so that the sealer can begin
-- where it was: on PostgreSQL what was numbered lies about in the index until it is vacuumed.
drop index events_unsealed;
create index events_unsealed on events (id, tenant_id) where position is null;
-- Without those that have none, or SQLite would look for them here, through all that have one.
create unique index events_by_position on events (tenant_id, position) where position is not null;
create index events_by_user on events (user_id, tenant_id, id);
-- What is still personal of a customer's: it goes when the customer is erased.
create index events_personal_by_customer on events (customer_id, tenant_id, id) where personal is not null;
-- What staff did to others holds their own address: it goes when they are erased.
create index events_by_staff on events (actor_id, tenant_id, id) where actor_kind = 'staff';

-- The position of each tenant's newest numbered event. One sealer at a time moves it.
create table event_heads (
    tenant_id text not null references tenants (id),
    position bigint not null,
    updated_at bigint not null,
    primary key (tenant_id)
) /*busy table*/;
