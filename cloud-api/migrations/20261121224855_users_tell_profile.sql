-- Every instance remembers profiles as it remembers callers; whatever shows in a profile tells all of them.
CREATE TRIGGER users_tell_profile
    AFTER UPDATE OF name, email_verified_at, last_login_at ON users
    FOR EACH ROW EXECUTE FUNCTION tell_caller_changed();
CREATE TRIGGER user_profiles_tell_profile AFTER INSERT OR UPDATE OR DELETE ON user_profiles
    FOR EACH ROW EXECUTE FUNCTION tell_caller_changed();

CREATE FUNCTION tell_owner_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('callers', (CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END).owner_id::text);
    RETURN NULL;
END
$$;

-- The picture.
CREATE TRIGGER files_tell_profile AFTER INSERT OR DELETE ON files
    FOR EACH ROW EXECUTE FUNCTION tell_owner_changed();
