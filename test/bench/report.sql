-- What was measured, in Markdown.
\pset format unaligned
\pset tuples_only on

SELECT format(E'### %s\n\n| variant | ns a row | quartiles | repetitions |\n|---|--:|--:|--:|\n%s\n',
              section,
              string_agg(format('| %s%s | %s | %s to %s | %s |', variant,
                                CASE WHEN base IS NOT NULL THEN ', over ' || base END,
                                round(median), round(low), round(high), repetitions),
                         E'\n' ORDER BY position))
FROM (SELECT s.section, s.variant, s.base, s.position,
             s.median::numeric, s.low::numeric, s.high::numeric, s.repetitions
      FROM bench.summary s) s
GROUP BY section ORDER BY min(position);

SELECT E'### What portpin wants to hold\n\n| section | what | against | ratio | quartiles | at most | |\n|---|---|---|--:|--:|--:|---|';
SELECT format('| %s | %s | %s | %s | %s to %s | %s | %s |', section, variant, against,
              round(ratio::numeric, 2), round(low::numeric, 2), round(high::numeric, 2), at_most,
              CASE WHEN ratio > at_most THEN 'missed'
                   WHEN high > at_most THEN 'held, but the spread is too wide to be sure'
                   ELSE 'held' END)
FROM bench.verdict JOIN bench.variant USING (section, variant) ORDER BY position, against;
SELECT format(E'\n%s, %s', split_part(version(), ' (', 1),
              string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name))
FROM pg_settings
WHERE name IN ('shared_buffers', 'fsync', 'synchronous_commit', 'max_wal_size', 'autovacuum', 'jit');
