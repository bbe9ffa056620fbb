# Values of R's package survey for tests/stats/test_survey.c.
#   Rscript tests/oracle/survey.R ../shared/data/sampling/rsurvey > tests/stats/survey_values.h
#   clang-format -i tests/stats/survey_values.h
# Needs R with survey (4.1.1 was used). The CSV files are survey's own data sets (api, election).
suppressMessages(library(survey))
dir <- commandArgs(TRUE)[1]
read <- function(f) read.csv(file.path(dir, f), stringsAsFactors = FALSE)
srs <- read("apisrs.csv"); strat <- read("apistrat.csv")
clus1 <- read("apiclus1.csv"); clus2 <- read("apiclus2.csv")
elect <- read("election_pps.csv")
joint <- as.matrix(read.table(file.path(dir, "election_jointprob.txt")))
num <- function(x) if (length(x) == 0 || is.na(x)) "NAN" else if (is.infinite(x)) "INFINITY" else sprintf("%.17g", x)
row <- function(name, est, se, low = NA, high = NA, deff = NA, deffr = NA, df = NA)
  cat(sprintf("    { \"%s\", %s, %s, %s, %s, %s, %s, %s },\n", name, num(est), num(se), num(low),
              num(high), num(deff), num(deffr), num(df)))
one <- function(name, d, f, v) {
  a <- f(v, d, deff = TRUE); b <- f(v, d, deff = "replace"); k <- degf(d)
  ci <- confint(a, df = k)
  for (i in seq_along(coef(a)))
    row(if (length(coef(a)) > 1) paste(name, names(coef(a))[i]) else name, coef(a)[i], SE(a)[i],
        ci[i, 1], ci[i, 2], diag(as.matrix(deff(a)))[i], diag(as.matrix(deff(b)))[i], k)
}
ratio <- function(name, d, y, x) {
  r <- svyratio(y, x, d); k <- degf(d)
  # survey 4.1.1's deff of a ratio is that of its linearised total
  w <- weights(d); m <- as.numeric(coef(r))
  yy <- model.frame(y, d$variables)[[1]]; xx <- model.frame(x, d$variables)[[1]]
  d$variables$u_ <- (yy - m * xx) / sum(w * xx)
  a <- svytotal(~u_, d, deff = TRUE); b <- svytotal(~u_, d, deff = "replace")
  row(name, m, as.numeric(SE(r)), confint(r, df = k)[1], confint(r, df = k)[2], deff(a), deff(b), k)
}
quant <- function(name, d, v, q, type, rule) {
  r <- svyquantile(v, d, q, interval.type = type, qrule = rule)[[1]]
  row(name, r[1, 1], r[1, 4], r[1, 2], r[1, 3], df = degf(d))
}
prop <- function(name, d, f, method) {
  r <- svyciprop(f, d, method = method)
  row(name, coef(r), sqrt(as.numeric(attr(r, "var"))), confint(r)[1], confint(r)[2], df = degf(d))
}
cat("/* Made by tests/oracle/survey.R with R's survey ", as.character(packageVersion("survey")),
    ": name, estimate, se, low and high\n * of 95 %, deff, deff = \"replace\", degrees of freedom. */\n", sep = "")
cat("static const struct value values[] = {\n")
ds <- list(
  srs = svydesign(id = ~1, fpc = ~fpc, data = srs),
  srs_replace = suppressWarnings(svydesign(id = ~1, weights = ~pw, data = srs)),
  strat = svydesign(id = ~1, strata = ~stype, weights = ~pw, fpc = ~fpc, data = strat),
  clus1 = svydesign(id = ~dnum, weights = ~pw, fpc = ~fpc, data = clus1),
  clus2 = svydesign(id = ~dnum + snum, fpc = ~fpc1 + fpc2, data = clus2),
  clus2_replace = svydesign(id = ~dnum, weights = ~pw, data = clus2))
for (n in names(ds)) {
  d <- ds[[n]]
  one(paste(n, "mean api00"), d, svymean, ~api00)
  one(paste(n, "total api.stu"), d, svytotal, ~api.stu)
  ratio(paste(n, "ratio api.stu/enroll"), subset(d, !is.na(enroll)), ~api.stu, ~enroll)
  one(paste(n, "share sch.wide=Yes"), d, svymean, ~as.numeric(sch.wide == "Yes"))
  one(paste(n, "mean api00 in E"), subset(d, stype == "E"), svymean, ~api00)
  one(paste(n, "total api.stu in H"), subset(d, stype == "H"), svytotal, ~api.stu)
  # 0.9 n (and 0.1 n) is whole for n = 200: there survey 4.1.1 takes the next value by a rounding of 1e-17
  for (q in c(.25, .5, .87)) quant(paste(n, "quantile", q), d, ~api00, q, "mean", "math")
  quant(paste(n, "quantile 0.5 linear"), d, ~api00, .5, "mean", "hf7")
  quant(paste(n, "quantile 0.5 middle"), d, ~api00, .5, "mean", "school")
  quant(paste(n, "quantile 0.13 logit"), d, ~api00, .13, "xlogit", "math")
  quant(paste(n, "quantile 0.13 beta"), d, ~api00, .13, "beta", "math")
  quant(paste(n, "quantile 0.13 asin"), d, ~api00, .13, "asin", "math")
  for (m in c("mean", "xlogit", "asin", "beta"))
    prop(paste(n, "proportion", m), d, ~I(sch.wide == "Yes"), m)
}
# post-stratification and raking: population tables of survey's help pages
types <- data.frame(stype = c("E", "H", "M"), Freq = c(4421, 755, 1018))
wide <- data.frame(sch.wide = c("No", "Yes"), Freq = c(1072, 5122))
for (n in c("srs", "clus1", "clus2")) {
  p <- postStratify(ds[[n]], ~stype, types)
  r <- rake(ds[[n]], list(~stype, ~sch.wide), list(types, wide),
            control = list(maxit = 1000, epsilon = 1e-9))
  for (k in c("post", "rake")) {
    d <- if (k == "post") p else r
    one(paste(n, k, "mean api00"), d, svymean, ~api00)
    one(paste(n, k, "total api.stu"), d, svytotal, ~api.stu)
    one(paste(n, k, "mean api00 in both"), subset(d, both == "Yes"), svymean, ~api00)
    one(paste(n, k, "total api.stu in both"), subset(d, both == "Yes"), svytotal, ~api.stu)
  }
}
# unequal probabilities: county votes of 2004
pps <- list(
  brewer = svydesign(id = ~1, fpc = ~p, data = elect, pps = "brewer"),
  overton = svydesign(id = ~1, fpc = ~p, data = elect, pps = "overton"),
  hr = svydesign(id = ~1, fpc = ~p, data = elect, pps = HR()),
  ht = svydesign(id = ~1, fpc = ~p, data = elect, pps = ppsmat(joint)),
  yg = svydesign(id = ~1, fpc = ~p, data = elect, pps = ppsmat(joint), variance = "YG"),
  hr_yg = svydesign(id = ~1, fpc = ~p, data = elect, pps = HR(), variance = "YG"),
  overton_yg = svydesign(id = ~1, fpc = ~p, data = elect, pps = "overton", variance = "YG"),
  replace = svydesign(id = ~1, probs = ~p, data = elect))
for (n in names(pps)) {
  for (v in c("Bush", "Kerry", "Nader")) {
    a <- svytotal(as.formula(paste0("~", v)), pps[[n]])
    row(paste("pps", n, "total", v), coef(a), SE(a))
  }
  a <- svymean(~Bush, pps[[n]]); row(paste("pps", n, "mean Bush"), coef(a), SE(a))
  a <- svyratio(~Bush, ~votes, pps[[n]]); row(paste("pps", n, "ratio Bush/votes"), coef(a), as.numeric(SE(a)))
}
# single units: the 15 districts of clus1 in strata, one of which has one
clus1$h <- ifelse(clus1$dnum == 61, 9, clus1$dnum %% 3)
for (k in c("remove", "certainty", "adjust", "average")) {
  options(survey.lonely.psu = k)
  d <- svydesign(id = ~dnum, strata = ~h, weights = ~pw, data = clus1)
  one(paste("lonely", k, "mean api00"), d, svymean, ~api00)
  one(paste("lonely", k, "total api.stu"), d, svytotal, ~api.stu)
}
options(survey.lonely.psu = "fail")
# shares of a category against known ones, corrected as by Rao and Scott
p0 <- c(4421, 755, 1018) / 6194
for (n in c("srs", "clus1", "clus2")) {
  d <- ds[[n]]; m <- svymean(~factor(stype), d); V <- vcov(m); nn <- nrow(d$variables)
  X <- nn * sum((coef(m) - p0)^2 / p0); D <- nn * diag(1 / p0) %*% V
  G <- 2 * nn * sum(coef(m) * log(coef(m) / p0))
  t1 <- sum(diag(D)); t2 <- sum(diag(D %*% D)); k <- degf(d)
  row(paste("fit", n, "X2 F df1 df2 p G p"), X, X / t1, t1^2 / t2, t1^2 / t2 * k,
      pf(X / t1, t1^2 / t2, t1^2 / t2 * k, lower.tail = FALSE), G,
      pf(G / t1, t1^2 / t2, t1^2 / t2 * k, lower.tail = FALSE))
}
# twelve rows that stand in the test as well
small <- data.frame(h = c(1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2), u = c(1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6),
                    e = 1:12, f1 = rep(c(10, 8), each = 6), f2 = c(4, 4, 5, 5, 6, 6, 3, 3, 7, 7, 4, 4),
                    y = c(3, 5, 8, 1, 9, 4, 12, 15, 11, 7, 18, 10), x = c(2, 3, 4, 2, 5, 2, 6, 8, 5, 4, 9, 6))
small$g <- factor(c("a", "b", "a", "b", "b", "a", "a", "b", "b", "a", "a", "b"))
d <- svydesign(id = ~u + e, strata = ~h, fpc = ~f1 + f2, data = small)
one("small mean", d, svymean, ~y)
one("small total", d, svytotal, ~y)
ratio("small ratio", d, ~y, ~x)
one("small mean in a", subset(d, g == "a"), svymean, ~y)
quant("small median", d, ~y, .5, "mean", "math")
d <- postStratify(d, ~g, data.frame(g = c("a", "b"), Freq = c(40, 47)))
one("small post mean", d, svymean, ~y)
one("small post total", d, svytotal, ~y)
cat("};\n")
