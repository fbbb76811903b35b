-- The results, in Markdown.

SELECT E'### What portpin wants to hold\n\n'
    || E'Ratios of costs; or costs, where nothing stands under "against". Instructions decide where they were counted.\n\n'
    || E'| what | against | at most | instructions | time | |\n|---|---|--:|--:|--:|---|';
SELECT format('| %s: %s | %s | %s | %s | %s | %s |', title, variant, against, limits.at_most,
              limits.instructions, limits.ns,
              CASE WHEN coalesce(v.instructions, v.ns) > v.at_most THEN '**missed**' ELSE 'held' END)
FROM bench.verdict v JOIN bench.section s USING (section),
LATERAL (SELECT CASE WHEN at_most < 0.1 THEN 3 ELSE 2 END AS digits) _,
LATERAL (SELECT CASE WHEN against IS NOT NULL THEN at_most::text
                     WHEN v.instructions IS NULL THEN to_char(at_most / 1000000, 'FM999,999') || ' ms'
                     ELSE to_char(at_most, 'FM999,999,999') END AS at_most,
                CASE WHEN against IS NOT NULL THEN round(v.instructions::numeric, digits)::text
                     ELSE to_char(v.instructions, 'FM999,999,999') END AS instructions,
                CASE WHEN against IS NOT NULL THEN round(ns::numeric, digits)::text
                     ELSE round((ns / 1000000)::numeric, 1) || ' ms' END AS ns) limits
ORDER BY v.position;

SELECT format(E'\n### %s\n\n| | over | instructions | ns | quartiles | repetitions |\n|---|---|--:|--:|--:|--:|\n%s',
              title,
              string_agg(format('| %s | %s | %s | %s | %s | %s |', variant, base,
                                to_char(instructions, 'FM999,999,999'), to_char(ns, 'FM999,999,999,999'),
                                to_char(low, 'FM999,999,999,999') || ' to ' || to_char(high, 'FM999,999,999,999'),
                                repetitions),
                         E'\n' ORDER BY c.position))
FROM bench.cost c JOIN bench.section s USING (section)
GROUP BY s.title, s.position ORDER BY s.position;

SELECT format(E'\n%s, %s', split_part(version(), ' (', 1),
              string_agg(name || ' = ' || current_setting(name), ', ' ORDER BY name))
FROM pg_settings
WHERE name IN ('shared_buffers', 'fsync', 'synchronous_commit', 'max_wal_size', 'autovacuum', 'jit');
