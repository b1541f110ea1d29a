-- What only time makes visible: when PostgreSQL looks after a table that grows all day. Portable SQL, as 0001 says.

-- Each event is written once and updated once, when it gets its number; that leaves a dead row and dead entries in the
-- indexes that the sealer reads through. By default they are cleared away when a fifth of all events is dead, of ten
-- million two: so it is done as with the busy tables. No room is left in the pages, because the number is indexed.
/*on PostgreSQL: alter table events set (autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);*/
