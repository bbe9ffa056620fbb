# Values of R for the analyses: tests/stats/data/analyses.json.
#   Rscript tests/oracle/analyses.R > tests/stats/data/analyses.json
# The first part is small samples written here, the second analyses of examples/survey.csv, which
# the tools run_analysis and summarize_dataset must reproduce.
options(digits = 17, warn = -1)
num <- function(x) {
  x <- unlist(x); names(x) <- NULL
  s <- ifelse(is.na(x) | is.infinite(x), "null", formatC(as.double(x), digits = 17, width = 1, format = "g"))
  if (length(s) == 1) s else paste0("[", paste(s, collapse = ", "), "]")
}
out <- list()
put <- function(.key, ...) { # no formal that n or p could mean
  v <- list(...)
  out[[.key]] <<- paste0('  "', .key, '": {', paste(sprintf('"%s": %s', names(v), sapply(v, num)), collapse = ", "), "}")
}
# the noncentrality at which P(X >= x) is (1-level)/2 and (1+level)/2
ncp <- function(tail, level = .95) sapply(c((1 - level) / 2, (1 + level) / 2), function(p) {
  if (tail(0) >= p) return(0)
  high <- 1; while (tail(high) < p) high <- 2 * high
  uniroot(function(l) tail(l) - p, c(0, high), tol = 1e-12)$root })
ncp_chi <- function(x, df) ncp(function(l) pchisq(x, df, ncp = l, lower.tail = FALSE))
ncp_f <- function(f, a, b) ncp(function(l) pf(f, a, b, ncp = l, lower.tail = FALSE))
# DeLong's interval of P(x > y) + P(x = y) / 2 on the logit scale
delong <- function(x, y) {
  v <- sapply(x, function(a) mean((a > y) + (a == y) / 2)); w <- sapply(y, function(b) mean((x > b) + (x == b) / 2))
  a <- mean(v); se <- sqrt(var(v) / length(x) + var(w) / length(y))
  plogis(qlogis(a) + c(-1, 1) * qnorm(.975) * se / (a * (1 - a))) }

x <- c(1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30)
y <- c(0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06001, 3.14, 1.29001, 0.42)
xt <- c(1, 2, 2, 3, 5, 5, 8); yt <- c(2, 4, 4, 5, 7, 9, 9, 10)
w <- sapply(c("two.sided", "greater", "less"), function(a) wilcox.test(x, y, alternative = a)$p.value)
put("ranksum_exact", x = x, y = y, u = wilcox.test(x, y)$statistic, p = w, auc = delong(x, y))
w <- sapply(c("two.sided", "greater", "less"), function(a) wilcox.test(xt, yt, alternative = a)$p.value)
put("ranksum_ties", x = xt, y = yt, u = wilcox.test(xt, yt)$statistic, p = w, auc = delong(xt, yt))

value <- c(4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92)
group <- c(rep(0, 8), rep(1, 7), rep(2, 7)); g <- factor(group)
a <- anova(lm(value ~ g)); wel <- oneway.test(value ~ g)
med <- abs(value - tapply(value, g, median)[g]); lev <- anova(lm(med ~ g))
ss <- a[["Sum Sq"]]; ms <- ss[2] / a$Df[2]; l <- ncp_f(a$F[1], a$Df[1], a$Df[2])
put("anova", value = value, group = group, ss = ss, df = a$Df, f = a$F[1], p = a$Pr[1], eta2 = ss[1] / sum(ss),
    omega2 = (ss[1] - a$Df[1] * ms) / (sum(ss) + ms), eta2_interval = l / (l + length(value)), welch_f = wel$statistic,
    welch_df2 = wel$parameter[2], welch_p = wel$p.value, levene_f = lev$F[1], levene_p = lev$Pr[1])

table_of <- function(name, m) {
  k <- chisq.test(m, correct = FALSE); c <- chisq.test(m, correct = TRUE); two <- all(dim(m) == 2)
  e <- k$expected; g <- 2 * sum(ifelse(m > 0, m * log(m / e), 0)); scale <- sum(m) * (min(dim(m)) - 1)
  put(name, rows = nrow(m), columns = ncol(m), count = as.vector(t(m)), expected = as.vector(t(e)), chi2 = k$statistic,
      df = k$parameter, p = k$p.value, chi2_corrected = if (two) c$statistic else NA, p_corrected = if (two) c$p.value else NA,
      g = g, g_p = pchisq(g, k$parameter, lower.tail = FALSE), v = sqrt(k$statistic / scale),
      v_interval = sqrt(ncp_chi(k$statistic, k$parameter) / scale)) }
table_of("table_3x4", matrix(c(12, 5, 29, 2, 30, 14, 11, 7, 9, 21, 0, 4), 3, byrow = TRUE))
table_of("table_2x2", matrix(c(12, 5, 29, 2), 2, byrow = TRUE))
table_of("table_2x2_near", matrix(c(10, 10, 10, 11), 2, byrow = TRUE))
for (k in list(list("fisher_tea", c(3, 1, 1, 3)), list("fisher_twins", c(2, 15, 10, 3)), list("fisher_zero", c(0, 7, 5, 6)),
               list("fisher_large", c(1200, 3400, 900, 3100)))) {
  f <- fisher.test(matrix(k[[2]], 2, byrow = TRUE))
  one <- sapply(c("greater", "less"), function(a) fisher.test(matrix(k[[2]], 2, byrow = TRUE), alternative = a)$p.value)
  put(k[[1]], count = k[[2]], p = c(f$p.value, one), odds = f$estimate, interval = f$conf.int) }
k <- chisq.test(c(89, 37, 30, 28, 2), p = c(40, 20, 20, 15, 5) / 100)
put("goodness", count = c(89, 37, 30, 28, 2), share = c(.4, .2, .2, .15, .05), expected = k$expected, chi2 = k$statistic,
    df = k$parameter, p = k$p.value, w = sqrt(k$statistic / 186), w_interval = sqrt(ncp_chi(k$statistic, k$parameter) / 186))
t <- c(0.5, 1.1, 1.3, 1.9, 2.2, 2.4, 3.1, 3.3, 3.9, 4.4, 4.6, 5.0, 5.5, 6.1, 6.2); u <- c(3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9)
h <- c(0, 0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0)
logit <- function(name, f, ...) {
  s <- summary(f)$coefficients; n0 <- glm(f$y ~ 1, family = binomial); d <- f$null.deviance - f$deviance; df <- f$df.null - f$df.residual
  put(name, ..., value = s[, 1], se = s[, 2], z = s[, 3], p = s[, 4], loglik = logLik(f), null = logLik(n0), chi2 = d,
      chi2_p = pchisq(d, df, lower.tail = FALSE), mcfadden = 1 - logLik(f) / logLik(n0)) }
ctl <- glm.control(epsilon = 1e-15, maxit = 100)
logit("logistic", glm(h ~ t + u, family = binomial, control = ctl), y = h, a = t, b = u)
put("noncentral", chi2 = pchisq(12.5, 4, ncp = 7.5, lower.tail = FALSE), f = pf(3.2, 3, 40, ncp = 11, lower.tail = FALSE))

# errors of clusters: CR1, as Stata and statsmodels (cov_type "cluster", use_t)
clustered <- function(name, m, c, ...) {
  x <- model.matrix(m); e <- residuals(m); n <- nrow(x); k <- ncol(x); c <- factor(c); g <- nlevels(c)
  s <- rowsum(x * e, c); b <- solve(crossprod(x)); v <- b %*% crossprod(s) %*% b * g / (g - 1) * (n - 1) / (n - k)
  se <- sqrt(diag(v)); t <- coef(m) / se; w <- coef(m)[-1]
  put(name, ..., clusters = g, value = coef(m), se = se, t = t, p = 2 * pt(-abs(t), g - 1), low = coef(m) - qt(.975, g - 1) * se,
      f = t(w) %*% solve(v[-1, -1], w) / (k - 1), f_p = pf(t(w) %*% solve(v[-1, -1], w) / (k - 1), k - 1, g - 1, lower.tail = FALSE)) }
clusters <- c(0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5)
clustered("clustered", lm(h * 2 + t ~ t + u), clusters, y = h * 2 + t, a = t, b = u, cluster = clusters)

# ---- examples/survey.csv, as the tools see it
d <- read.csv("examples/survey.csv", na.strings = c("", "NA"), colClasses = "character", check.names = FALSE)
n <- function(c) suppressWarnings(as.numeric(d[[c]]))
d$hours <- n("hours"); d$income <- n("income"); d$stress <- n("stress"); d$age <- n("age")
put("survey", rows = nrow(d), missing_income = sum(is.na(d$income)), missing_hours = sum(is.na(d$hours)), missing_age = sum(is.na(d$age)),
    missing_stress = sum(is.na(d$stress)), missing_referred = sum(is.na(d$referred_by)))
d <- d[!is.na(d$age) & d$age <= 100 & d$age >= 0, ]   # where: age >= 0 and age <= 100
cor_of <- function(name, m) {
  k <- suppressWarnings(cor.test(d$hours, d$stress, method = m))
  ok <- complete.cases(d$hours, d$stress)
  put(name, n = sum(ok), r = k$estimate, p = k$p.value, interval = if (m == "pearson") k$conf.int else NA) }
cor_of("survey_pearson", "pearson"); cor_of("survey_spearman", "spearman"); cor_of("survey_kendall", "kendall")
m <- lm(income ~ age + hours + role, d); s <- summary(m); ci <- confint(m)
put("survey_lm", n = nobs(m), value = s$coefficients[, 1], se = s$coefficients[, 2], t = s$coefficients[, 3], p = s$coefficients[, 4],
    low = ci[, 1], high = ci[, 2], r2 = s$r.squared, r2_adjusted = s$adj.r.squared, sigma = s$sigma, f = s$fstatistic[1],
    f_p = pf(s$fstatistic[1], s$fstatistic[2], s$fstatistic[3], lower.tail = FALSE), df = s$fstatistic[2:3])
k <- t.test(hours ~ remote, d); v <- split(d$hours, d$remote); v <- lapply(v, function(z) z[!is.na(z)])
pooled <- sqrt(((length(v$no) - 1) * var(v$no) + (length(v$yes) - 1) * var(v$yes)) / (length(v$no) + length(v$yes) - 2))
put("survey_welch", n = c(length(v$no), length(v$yes)), means = c(mean(v$no), mean(v$yes)), t = k$statistic, df = k$parameter, p = k$p.value,
    difference = mean(v$no) - mean(v$yes), interval = k$conf.int, d = (mean(v$no) - mean(v$yes)) / pooled)
k <- wilcox.test(stress ~ remote, d); a <- d$stress[d$remote == "no" & !is.na(d$stress)]; b <- d$stress[d$remote == "yes" & !is.na(d$stress)]
put("survey_ranksum", u = k$statistic, p = k$p.value, interval = delong(a, b))
clustered("survey_clustered", lm(stress ~ remote + hours + sector + region, d), d$company[!is.na(d$stress)])
r <- factor(d$region); a <- anova(lm(d$hours ~ r)); wel <- oneway.test(d$hours ~ r)
put("survey_anova", groups = nlevels(r), f = a$F[1], df = a$Df, p = a$Pr[1], welch_f = wel$statistic, welch_p = wel$p.value,
    means = tapply(d$hours, r, mean, na.rm = TRUE))
k <- chisq.test(table(d$region, d$remote)); e <- min(k$expected)
put("survey_chi2", n = sum(k$observed), chi2 = k$statistic, df = k$parameter, p = k$p.value, least = e)
f <- fisher.test(table(d$treatment, d$remote)); put("survey_fisher", p = f$p.value, odds = f$estimate, interval = f$conf.int)
put("survey_mean", n = sum(!is.na(d$income)), mean = mean(d$income, na.rm = TRUE), interval = t.test(d$income)$conf.int)
remote <- table(d$remote); w <- prop.test(remote[["yes"]], sum(remote), correct = FALSE)
put("survey_proportion", n = sum(remote), share = remote[["yes"]] / sum(remote), interval = w$conf.int)
logit("survey_logistic", glm((treatment == "yes") ~ stress + hours + remote, d, family = binomial, control = ctl))
cat("{\n", paste(unlist(out), collapse = ",\n"), "\n}\n", sep = "")
