// How Eigen cuts its products into blocks.
#ifndef FINEDELTA_PREDICT_LOW_RANK_BLOCKING_H_
#define FINEDELTA_PREDICT_LOW_RANK_BLOCKING_H_

namespace finedelta {

// Fixes it, for all threads: Eigen would go by the caches of the core that it first runs on, and
// sums of other blocks are rounded to other bits. Called before anything that ends up in an
// archive.
void fix_product_blocks();

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_LOW_RANK_BLOCKING_H_
