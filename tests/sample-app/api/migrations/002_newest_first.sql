CREATE INDEX notes_newest_first ON notes (created DESC);
