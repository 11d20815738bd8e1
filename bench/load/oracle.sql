-- What is this viewer's home timeline? The judge of every test: written for clarity, it knows nothing of the services
-- but the tables, and looks at every row it is given.
-- $1 the viewer, $2 the edges of all shards that touch the viewer, $3 the tweets of all shards that may matter.
WITH viewer (id) AS (
  VALUES ($1::bigint)
), edges AS (
  SELECT * FROM jsonb_to_recordset($2::jsonb) AS edge (src bigint, kind text, dst bigint)
), tweets AS (
  SELECT * FROM jsonb_to_recordset($3::jsonb)
    AS tweet (id bigint, author bigint, retweet_of bigint, retweet_author bigint, reply_to_author bigint)
), followed AS (
  SELECT dst AS author FROM edges, viewer WHERE kind = 'follow' AND src = viewer.id
), hidden AS (
  SELECT dst AS author FROM edges, viewer WHERE kind IN ('mute', 'block') AND src = viewer.id
  UNION
  SELECT src FROM edges, viewer WHERE kind = 'block' AND dst = viewer.id
)
SELECT tweets.id FROM tweets, viewer
WHERE
  -- It is the viewer's own, or by somebody whom the viewer follows and who is not hidden;
  (author = viewer.id OR (author IN (SELECT author FROM followed) AND author NOT IN (SELECT author FROM hidden)))
  -- of a retweet, the original is still there, and its author is not hidden;
  AND (retweet_of IS NULL OR (
    EXISTS (SELECT FROM tweets original WHERE original.id = tweets.retweet_of)
    AND retweet_author NOT IN (SELECT author FROM hidden)))
  -- of a reply, both are followed, or the viewer is one of the two.
  AND (reply_to_author IS NULL OR viewer.id IN (author, reply_to_author)
    OR reply_to_author IN (SELECT author FROM followed))
ORDER BY tweets.id DESC
