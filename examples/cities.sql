-- A table for docs/tools.md, PostgreSQL.
CREATE TABLE city(id int PRIMARY KEY, title text, about text, area numeric(8,2), founded date, twins text[]);
INSERT INTO city VALUES
    (1, 'Oskar Bay', 'A harbour; fog in spring.', 88.25, '1704-05-01', '{Tindal}'),
    (2, 'Tindal', 'Mines, and snow until May.', 12.50, '1841-09-30', '{Oskar Bay,Merrow}');
