#include "measure.h"

#include <time.h>

#include <algorithm>

#include "memory.h"

namespace finedelta::bench {

namespace {

// What this thread has computed so far: unlike a clock on the wall it stands still while another
// process has the core. No codec has other threads, or waits.
double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

template <typename Work>
double seconds_of(Work work) {
  const double start = cpu_seconds();
  work();
  return cpu_seconds() - start;
}

// The buffers that all codecs share. All copies are encoded before the first is decoded, so that
// none finds what it reads in the cache because it just wrote it.
class Runner {
 public:
  explicit Runner(const Workload& workload) : workload_(workload) {
    stored_.resize(workload.copies.size());
    for (const Copy& copy : workload.copies) results_.emplace_back(copy.value.size());
  }

  // With a codec that is made for it.
  void measure_memory(const CodecEntry& entry, Measurement& into) {
    const Copy& copy = workload_.copies[0];
    Sink stored;
    // Untouched memory is not resident, but a buffer that grows is for a while there twice.
    stored.reserve(6 * copy.value.size());
    spoil_results();
    const auto peak = peak_beyond([&] {
      const auto codec = entry.make();
      codec->encode(workload_.parts, copy.base, copy.value, stored);
      const Status status = codec->decode(workload_.parts, copy.base, stored.view(), results_[0]);
      if (!status) into.error = status.error().message;
    });
    if (peak) into.extra_bytes = *peak - std::min<uint64_t>(*peak, stored.view().size());
  }

  void run(Codec& codec, Measurement& into) {
    into.encode_seconds.push_back(encode(codec));
    into.stored = 0;
    for (const Sink& stored : stored_) into.stored += stored.view().size();
    spoil_results();
    into.decode_seconds.push_back(decode(codec, into.error));
    into.exact = into.exact && into.error.empty() && results_are_exact();
  }

 private:
  double encode(Codec& codec) {
    for (Sink& stored : stored_) stored.clear();
    return seconds_of([&] {
      for (size_t i = 0; i < stored_.size(); ++i) {
        const Copy& copy = workload_.copies[i];
        codec.encode(workload_.parts, copy.base, copy.value, stored_[i]);
      }
    });
  }

  double decode(Codec& codec, std::string& error) {
    return seconds_of([&] {
      for (size_t i = 0; i < stored_.size(); ++i) {
        const Status status =
            codec.decode(workload_.parts, workload_.copies[i].base, stored_[i].view(), results_[i]);
        if (!status) error = status.error().message;
      }
    });
  }

  void spoil_results() {
    for (size_t i = 0; i < results_.size(); ++i) {
      std::ranges::transform(workload_.copies[i].value, results_[i].begin(),
                             [](std::byte byte) { return ~byte; });
    }
  }

  [[nodiscard]] bool results_are_exact() const {
    for (size_t i = 0; i < results_.size(); ++i) {
      if (results_[i] != workload_.copies[i].value) return false;
    }
    return true;
  }

  const Workload& workload_;
  std::vector<Sink> stored_;
  std::vector<std::vector<std::byte>> results_;
};

}  // namespace

std::vector<Measurement> measure(const Workload& workload, std::span<const CodecEntry> codecs,
                                 int rounds) {
  Runner runner(workload);
  std::vector<std::unique_ptr<Codec>> made;
  std::vector<Measurement> measurements;
  for (const CodecEntry& codec : codecs) {
    measurements.push_back({.name = codec.name, .yardstick = codec.yardstick});
    runner.measure_memory(codec, measurements.back());
  }
  for (const CodecEntry& codec : codecs) made.push_back(codec.make());
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < made.size(); ++i) runner.run(*made[i], measurements[i]);
  }
  return measurements;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace finedelta::bench
