package sqlite

// steps bring a store from each version to the next; SQLite's user_version counts those that were taken. A store in the
// field has taken the first ones, so steps are only ever added at the end.
// A step is SQL alone: what it does and its number are one transaction (doc/decisions.md 104).
var steps = [...]string{
	`
CREATE TABLE IF NOT EXISTS programme (id BLOB PRIMARY KEY, control BLOB NOT NULL, used INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS stream (k INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, programme BLOB NOT NULL REFERENCES programme(id),
	access BLOB NOT NULL, n INTEGER NOT NULL, h BLOB NOT NULL, closed INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS envelope (k INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES stream(k), n INTEGER NOT NULL,
	id BLOB NOT NULL, body BLOB NOT NULL, UNIQUE (stream, n), UNIQUE (stream, id)) STRICT;
CREATE TABLE IF NOT EXISTS box (k INTEGER PRIMARY KEY, box BLOB NOT NULL, item BLOB NOT NULL, expires INTEGER NOT NULL,
	UNIQUE (box, item)) STRICT;
CREATE INDEX IF NOT EXISTS box_expires ON box (expires);
CREATE TABLE IF NOT EXISTS blob (id BLOB PRIMARY KEY, programme BLOB NOT NULL, body BLOB NOT NULL) STRICT;`,

	// 2: the chain value a stream starts from, so that the chain can be checked; unknown (NULL) where envelopes came
	// first.
	`
ALTER TABLE stream ADD COLUMN h0 BLOB;
UPDATE stream SET h0=h WHERE n=0;`,

	// 3: the first of the line of streams that one key opens.
	`
ALTER TABLE stream ADD COLUMN line BLOB;
UPDATE stream SET line=id;
CREATE INDEX stream_line ON stream (line);`,

	// 4: what programmes publish, and what was reported to them.
	`
CREATE TABLE door (k INTEGER PRIMARY KEY, programme BLOB NOT NULL UNIQUE REFERENCES programme(id), body BLOB NOT NULL) STRICT;
CREATE TABLE intake (id BLOB PRIMARY KEY, programme BLOB NOT NULL REFERENCES programme(id)) STRICT;
CREATE TABLE report (k INTEGER PRIMARY KEY AUTOINCREMENT, intake BLOB NOT NULL, day INTEGER NOT NULL, id BLOB NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;
CREATE INDEX report_intake ON report (intake, k);`,

	// 5: everything kept is of a programme and of a sort (relay.Keep), and charged to it. What lay in boxes without
	// either is told apart by what only its sort has: peppers never expire and have 64 bytes or are one zero, slips
	// have 5 bytes, answers one length; the trustees' mailbox is the other that does not expire. Mailboxes and what
	// devices left cannot be told apart and are kept as both for the 90 days they last: no id is of both sorts. With
	// one programme it is that one's; else it is nobody's, and who proves that a box is hers still reads it.
	`
ALTER TABLE programme ADD COLUMN site BLOB;
CREATE UNIQUE INDEX programme_site ON programme (site);
CREATE TABLE member (programme BLOB NOT NULL REFERENCES programme(id), id BLOB NOT NULL, key BLOB NOT NULL,
	PRIMARY KEY (programme, id)) STRICT, WITHOUT ROWID;
CREATE TABLE used (programme BLOB NOT NULL, keep INTEGER NOT NULL, bytes INTEGER NOT NULL,
	PRIMARY KEY (programme, keep)) STRICT, WITHOUT ROWID;
ALTER TABLE stream ADD COLUMN roster INTEGER NOT NULL DEFAULT 0;
CREATE TABLE item (k INTEGER PRIMARY KEY AUTOINCREMENT, programme BLOB NOT NULL, keep INTEGER NOT NULL, box BLOB NOT NULL,
	owner BLOB NOT NULL, body BLOB NOT NULL, expires INTEGER NOT NULL, UNIQUE (programme, keep, box, body)) STRICT;
CREATE INDEX item_expires ON item (expires);
CREATE INDEX item_owner ON item (programme, keep, owner);
INSERT INTO item (programme, keep, box, owner, body, expires)
	SELECT coalesce((SELECT id FROM programme WHERE (SELECT count(*) FROM programme)=1), zeroblob(16)),
		CASE WHEN expires>strftime('%s', 'now')+1500000000 THEN CASE WHEN length(item) IN (1, 64) THEN 9 ELSE 4 END
			WHEN length(item)=5 THEN 8 WHEN length(item)=5264 THEN 7 ELSE 3 END,
		box, CASE WHEN length(item)=5264 THEN substr(item, 1, 16) ELSE zeroblob(16) END, item, expires FROM box ORDER BY k;
INSERT INTO item (programme, keep, box, owner, body, expires)
	SELECT programme, 6, box, owner, body, expires FROM item WHERE keep=3 ORDER BY k;
DROP TABLE box;
ALTER TABLE report ADD COLUMN programme BLOB NOT NULL DEFAULT (zeroblob(16));
UPDATE report SET programme=coalesce((SELECT programme FROM intake WHERE intake.id=report.intake),
	(SELECT id FROM programme WHERE (SELECT count(*) FROM programme)=1), zeroblob(16));
INSERT INTO used SELECT s.programme, 0, sum(length(e.body)) FROM envelope e JOIN stream s ON s.k=e.stream GROUP BY 1;
INSERT INTO used SELECT programme, 2, sum(length(body)) FROM blob GROUP BY 1;
INSERT INTO used SELECT programme, keep, sum(length(body)) FROM item GROUP BY 1, 2;
INSERT INTO used SELECT programme, 10, sum(length(body)) FROM report GROUP BY 1;
INSERT INTO used SELECT programme, 11, length(body) FROM door;`,
}

// version is SQLite's user_version of this schema.
const version = len(steps)
