# Values of R's package sampling for tests/sampling/test_pps.c.  Rscript tests/oracle/sampling.R
suppressMessages(library(sampling))
show <- function(name, x) cat(name, "\n", paste(sprintf("%.12g", t(x)), collapse = ", "), "\n")
pik <- inclusionprobabilities(c(1, 2, 3, 4, 5, 6, 40), 4)
show("inclusionprobabilities(c(1,2,3,4,5,6,40), 4)", pik)
pik <- c(0.2, 0.7, 0.8, 0.5, 0.4, 0.4)
show("UPsampfordpi2(c(0.2,0.7,0.8,0.5,0.4,0.4))", UPsampfordpi2(pik))
show("UPsystematicpi2", UPsystematicpi2(pik))
pik <- inclusionprobabilities(1:12, 5)
show("UPsampfordpi2(inclusionprobabilities(1:12, 5)) row 12", UPsampfordpi2(pik)[12, ])
show("UPsystematicpi2 row 12", UPsystematicpi2(pik)[12, ])
# pi of Brewer's, by 200,000 draws
set.seed(1)
show("UPbrewer joint by simulation", Reduce(`+`, lapply(1:20000, function(i) { s <- UPbrewer(c(0.2, 0.7, 0.8, 0.5, 0.4, 0.4)); s %o% s })) / 20000)
