-- What the demonstration adds to a fresh database: a second subsystem, handled by a function.
CREATE TABLE IF NOT EXISTS demo_activity_by_type (type text PRIMARY KEY, events integer NOT NULL);

CREATE OR REPLACE FUNCTION demo_activity(type text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO demo_activity_by_type AS a VALUES (type, 1) ON CONFLICT (type) DO UPDATE SET events = a.events + 1
$$;
