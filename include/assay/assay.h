/* Everything of libassay in one include. */
#ifndef ASSAY_H
#define ASSAY_H
#include <assay/base.h>
#include <assay/chat.h>
#include <assay/data.h>
#include <assay/embed.h>
#include <assay/graph.h>
#include <assay/graph_estimate.h>
#include <assay/graph_sample.h>
#include <assay/model.h>
#include <assay/sampler.h>
#include <assay/sampling.h>
#include <assay/stats.h>
#include <assay/survey.h>
#include <assay/template.h>
#include <assay/tokenizer.h>
#include <assay/train.h>
#endif
