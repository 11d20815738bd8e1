-- What a tweet refers to, and who wrote that: as immutable as its text, so whoever shows it need not ask another shard.
ALTER TABLE tweets
  ADD COLUMN referenced_tweets jsonb,   -- [{"type": "retweeted" | "replied_to" | "quoted", "id", "author_id"}]
  ADD COLUMN conversation_id   bigint;  -- the tweet that began the conversation; null: this one
