-- What search finds tweets by. services/tweet/search/tokens.ts and document.ts say the same in TypeScript; that the two
-- agree is a property test's to show. Character sets are spelled out, so that no Unicode version decides.
-- A change of these functions needs the column to be computed anew.

-- Compatibility forms, diacritics and case folded: accents, Arabic and Hebrew vowel points, joiners and variation
-- selectors go; marks that make another letter (the voicing of kana, Indic vowels) stay.
CREATE FUNCTION search_normal(raw text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
  CASE WHEN octet_length(raw) = char_length(raw) THEN lower(raw COLLATE "pg_c_utf8")
  ELSE normalize(replace(lower(regexp_replace(normalize(raw, NFKD),
    '[\u00AD\u0300-\u036F\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A\u0640\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED\u1AB0-\u1AFF\u1DC0-\u1DFF\u200B-\u200F\u202A-\u202E\u2060-\u206F\u20D0-\u20FF\uFE00-\uFE0F\uFE20-\uFE2F\uFEFF\U000E0020-\U000E007F\U000E0100-\U000E01EF]',
    '', 'g') COLLATE "pg_c_utf8"), 'ς', 'σ'), NFC) END;

-- The words of a text in their order. Scripts that put no spaces between words (Han, kana, Hangul, Thai, Lao, Khmer,
-- Myanmar) and symbols, emoji among them, are a token for each character.
CREATE FUNCTION search_tokens(raw text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN
  array_remove(string_to_array(
    CASE WHEN octet_length(raw) = char_length(raw) THEN regexp_replace(search_normal(raw), '[^a-z0-9_]+', ' ', 'g')
    ELSE regexp_replace(regexp_replace(search_normal(raw),
      '[\u0001-\u002F\u003A-\u0040\u005B-\u005E\u0060\u007B-\u00A9\u00AB\u00AC\u00AE-\u00B1\u00B4\u00B6-\u00B8\u00BB\u00BF\u00D7\u00F7\u02C2-\u02C5\u02D2-\u02DF\u02E5-\u02EB\u02ED\u02EF-\u02FF\u037E\u0384\u0385\u0387\u055A-\u055F\u0589\u058A\u05BE\u05C0\u05C3\u05C6\u05F3\u05F4\u0606-\u060F\u061B-\u061F\u066A-\u066D\u06D4\u0700-\u070D\u0964\u0965\u0970\u0E3F\u0E4F\u0E5A\u0E5B\u0F04-\u0F14\u104A-\u104F\u10FB\u1360-\u1368\u1680\u16EB-\u16ED\u17D4-\u17D6\u17D8-\u17DB\u1800-\u180A\u2000-\u200A\u2010-\u2029\u202F-\u205F\u20A0-\u20CF\u2E00-\u2E7F\u3000-\u3004\u3008-\u3020\u3030\u303D-\u303F\u30A0\u30FB\uFD3E\uFD3F\uFE10-\uFE1F\uFE30-\uFE6F\uFFF0-\uFFFF]+',
      ' ', 'g'),
      '([\u0E00-\u0EFF\u1000-\u109F\u1100-\u11FF\u1780-\u17FF\u2190-\u2BFF\u2E80-\u2FFF\u3005-\u3007\u3021-\u302F\u3031-\u303C\u3040-\u309F\u30A1-\u30FA\u30FC-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uA960-\uA97F\uAC00-\uD7FF\uF900-\uFAFF\U0001F000-\U0001FBFF\U00020000-\U0003FFFF])',
      ' \1 ', 'g') END,
    ' '), '');

-- A tweet as search has it: its words and those of its URLs at their places, and a term for everything else that an
-- operator can ask for. Words hold no punctuation, so no term is taken for a word.
CREATE FUNCTION search_document(
  id bigint, author_id bigint, body text, entities jsonb, referenced jsonb, conversation_id bigint, lang text
) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  place int := 0;
  words text := '';
  terms text[] := ARRAY['from:' || author_id, 'conversation:' || coalesce(conversation_id, id), 'lang:' || lang];
  token text;
  item jsonb;
BEGIN
  FOREACH token IN ARRAY search_tokens(body) LOOP
    EXIT WHEN place >= 500; -- nobody's words are that many, but those of long URLs
    place := place + 1;
    words := words || ' ''' || left(token, 255) || ''':' || place;
  END LOOP;
  IF entities IS NOT NULL THEN
    FOR item IN SELECT jsonb_array_elements(entities -> 'urls') LOOP
      place := place + 1; -- no phrase goes on from one URL to the next
      FOREACH token IN ARRAY search_tokens(item ->> 'expanded_url') LOOP
        EXIT WHEN place >= 500;
        place := place + 1;
        words := words || ' ''' || left('url:' || token, 255) || ''':' || place;
      END LOOP;
    END LOOP;
    terms := terms
      || ARRAY(SELECT '@' || lower(m ->> 'username' COLLATE "C") FROM jsonb_array_elements(entities -> 'mentions') m)
      || ARRAY(SELECT left('#' || search_normal(h ->> 'tag'), 255) FROM jsonb_array_elements(entities -> 'hashtags') h)
      || ARRAY(SELECT left('$' || search_normal(c ->> 'tag'), 255) FROM jsonb_array_elements(entities -> 'cashtags') c)
      || CASE WHEN entities ? 'urls' THEN '{has:links}' ELSE '{}' END::text[]
      || CASE WHEN entities ? 'mentions' THEN '{has:mentions}' ELSE '{}' END::text[]
      || CASE WHEN entities ? 'hashtags' THEN '{has:hashtags}' ELSE '{}' END::text[]
      || CASE WHEN entities ? 'cashtags' THEN '{has:cashtags}' ELSE '{}' END::text[];
  END IF;
  IF referenced IS NOT NULL THEN
    FOR item IN SELECT jsonb_array_elements(referenced) LOOP
      terms := terms || CASE item ->> 'type'
        WHEN 'replied_to' THEN ARRAY['is:reply', 'to:' || (item ->> 'author_id'), 'in_reply_to:' || (item ->> 'id')]
        WHEN 'retweeted' THEN ARRAY['is:retweet', 'retweets_of:' || (item ->> 'author_id'), 'retweets:' || (item ->> 'id')]
        WHEN 'quoted' THEN ARRAY['is:quote', 'quotes:' || (item ->> 'id')]
      END;
    END LOOP;
  END IF;
  RETURN words::tsvector || array_to_tsvector(terms);
END $$;

ALTER TABLE tweets
  ADD COLUMN lang text NOT NULL DEFAULT 'und', -- BCP 47; und: not known
  ADD COLUMN search tsvector NOT NULL
    GENERATED ALWAYS AS (search_document(id, author_id, text, entities, referenced_tweets, conversation_id, lang)) STORED;
-- Estimates decide between the index and a walk from the newest tweet back: they need to know more than the commonest words.
ALTER TABLE tweets ALTER COLUMN search SET STATISTICS 500;
-- What was written last waits in a list that every search reads; a short list is also merged in little time.
CREATE INDEX tweets_search ON tweets USING gin (search) WITH (gin_pending_list_limit = 256);

-- The newest tweets that match, by the index alone.
CREATE FUNCTION tweets_looked_up(query tsquery, after bigint, before bigint, how_many int)
RETURNS SETOF tweets LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan SET enable_indexscan = off AS $$
BEGIN
  RETURN QUERY SELECT * FROM tweets t WHERE t.search @@ query AND t.id > after AND t.id < before ORDER BY t.id DESC LIMIT how_many;
END $$;

-- The newest tweets that match. A plan for any query would fit none: a rare word is looked up, a common one is found soon
-- by walking back. How often words stand side by side no statistics say: for phrases the newest tweets are walked through,
-- and the index is asked for the rest.
CREATE FUNCTION tweets_matching(query tsquery, after bigint, before bigint, how_many int)
RETURNS SETOF tweets LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  walked CONSTANT int := 5000;
  found  int;
  last   bigint;
BEGIN
  IF strpos(query::text, '<->') = 0 THEN
    RETURN QUERY SELECT * FROM tweets t WHERE t.search @@ query AND t.id > after AND t.id < before ORDER BY t.id DESC LIMIT how_many;
    RETURN;
  END IF;
  RETURN QUERY SELECT * FROM (SELECT * FROM tweets t WHERE t.id > after AND t.id < before ORDER BY t.id DESC LIMIT walked) newest
    WHERE newest.search @@ query ORDER BY newest.id DESC LIMIT how_many;
  GET DIAGNOSTICS found = ROW_COUNT;
  IF found = how_many THEN RETURN; END IF;
  SELECT t.id INTO last FROM tweets t WHERE t.id > after AND t.id < before ORDER BY t.id DESC OFFSET walked - 1 LIMIT 1;
  IF last IS NULL THEN RETURN; END IF;
  RETURN QUERY SELECT * FROM tweets_looked_up(query, after, last, how_many - found);
END $$;

-- Rules of the filtered stream, in the bucket of whose they are: an app (its client id), or a user ("user:" and the id).
CREATE TABLE stream_rules (
  id    bigint PRIMARY KEY,         -- next_id(bucket of the owner)
  owner text NOT NULL,
  value text NOT NULL,
  tag   text,
  UNIQUE (owner, value)
);
