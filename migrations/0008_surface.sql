-- Who may reply, beside the author and whom the tweet mentions; null: everyone.
ALTER TABLE tweets
  ADD COLUMN reply_settings text CHECK (reply_settings IN ('following', 'mentionedUsers', 'subscribers', 'verified'));
