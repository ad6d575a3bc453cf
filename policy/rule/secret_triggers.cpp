// Three-byte beginnings are found 16 bytes at a time: for each of the three places a table by low and one by high half
// of the byte says which beginnings may have this byte there ("Teddy" in Intel's Hyperscan, Langdale 2015). Without SSSE3
// the same question is asked byte by byte.
#include "policy/rule/secret_triggers.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__SSE4_1__)
#include <immintrin.h>
#endif

namespace portcullis::policy::rule {
namespace {

struct Beginning {
  const char* text;
  std::uint8_t bucket;
};

// Each place of a bucket admits every byte that one of its beginnings has there, so those that share one are chosen to
// admit little else. "sic" ends Basic, "bea" begins Bearer, "{sh" an htpasswd hash.
constexpr Beginning beginnings[] = {
    {"pas", 0}, {"pwd", 1}, {"{sh", 1}, {"sec", 2}, {"sic", 2}, {"tok", 3}, {"key", 4}, {"bea", 4},
    {"cre", 5}, {"$ap", 5}, {"$2a", 5}, {"$2b", 5}, {"$2y", 5}, {"aut", 6}, {"://", 7}, {"---", 7},
};

constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

using Table = std::array<std::array<std::uint8_t, 256>, 3>;
constexpr Table by_byte = [] {
  Table table{};
  for (const Beginning& b : beginnings)
    for (std::size_t place = 0; place < 3; ++place) {
      const auto byte = static_cast<unsigned char>(b.text[place]);
      const auto bit = static_cast<std::uint8_t>(1U << b.bucket);
      table[place][byte] |= bit;
      if (is_letter(b.text[place])) table[place][byte ^ 0x20U] |= bit;
    }
  return table;
}();

constexpr std::array<bool, 256> run_bytes = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    table[c] = is_letter(byte) || (byte >= '0' && byte <= '9') || byte == '+' || byte == '/' || byte == '_' || byte == '-';
  }
  return table;
}();

bool in_run(char byte) { return run_bytes[static_cast<unsigned char>(byte)]; }

std::uint8_t beginning_at(const char* text) {
  return by_byte[0][static_cast<unsigned char>(text[0])] & by_byte[1][static_cast<unsigned char>(text[1])] &
         by_byte[2][static_cast<unsigned char>(text[2])];
}

Triggers triggers_slowly(std::string_view text) {
  Triggers seen = 0;
  for (std::size_t at = 0; at + 3 <= text.size(); ++at) seen |= beginning_at(text.data() + at);
  return seen;
}

#if defined(__SSE4_1__)
using Halves = std::array<std::array<std::uint8_t, 16>, 3>;
template <unsigned Shift>
constexpr Halves halves() {
  Halves table{};
  for (std::size_t place = 0; place < 3; ++place)
    for (unsigned c = 0; c < 256; ++c) table[place][(c >> Shift) & 15U] |= by_byte[place][c];
  return table;
}
alignas(16) constexpr Halves low_half = halves<0>();
alignas(16) constexpr Halves high_half = halves<4>();

__m128i row(const std::array<std::uint8_t, 16>& table) { return _mm_load_si128(reinterpret_cast<const __m128i*>(table.data())); }

// Byte i of the answer: the beginnings that may start at byte i, for i up to 13.
__m128i block(__m128i bytes) {
  const __m128i half = _mm_set1_epi8(0x0f);
  const __m128i low = _mm_and_si128(bytes, half);
  const __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), half);
  const __m128i first = _mm_and_si128(_mm_shuffle_epi8(row(low_half[0]), low), _mm_shuffle_epi8(row(high_half[0]), high));
  const __m128i second = _mm_and_si128(_mm_shuffle_epi8(row(low_half[1]), low), _mm_shuffle_epi8(row(high_half[1]), high));
  const __m128i third = _mm_and_si128(_mm_shuffle_epi8(row(low_half[2]), low), _mm_shuffle_epi8(row(high_half[2]), high));
  return _mm_and_si128(first, _mm_and_si128(_mm_srli_si128(second, 1), _mm_srli_si128(third, 2)));
}

template <class Word>
std::uint64_t load(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// Fewer than 16 bytes, filled up with zeros, by two loads that overlap: never a byte past the end.
__m128i load_short(const char* text, std::size_t bytes) {
  if (bytes > 8) {
    const std::uint64_t tail = load<std::uint64_t>(text + bytes - 8) >> (8 * (16 - bytes));
    return _mm_set_epi64x(static_cast<long long>(tail), static_cast<long long>(load<std::uint64_t>(text)));
  }
  if (bytes >= 4) {
    const std::uint64_t tail = load<std::uint32_t>(text + bytes - 4);
    return _mm_cvtsi64_si128(static_cast<long long>(load<std::uint32_t>(text) | tail << (8 * (bytes - 4))));
  }
  const std::uint64_t three = load<std::uint16_t>(text) | std::uint64_t{static_cast<unsigned char>(text[2])} << 16;
  return _mm_cvtsi64_si128(static_cast<long long>(three));
}

// Two lanes of tables at once, asked of the machine when the program runs. The three places come from three loads a byte
// apart, since a shift would not cross the lanes; so a step of 32 bytes reads 34.
constexpr std::size_t wide_bytes = 34, wide_step = 32;
const bool has_wide = __builtin_cpu_supports("avx2") != 0;

__attribute__((target("avx2"))) __m128i wide_blocks(const char* text, std::size_t bytes) {
  const __m256i half = _mm256_set1_epi8(0x0f);
  const auto place = [half](const char* from, std::size_t index) __attribute__((target("avx2"))) {
    const __m256i read = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + index));
    const __m256i low = _mm256_and_si256(read, half);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(read, 4), half);
    return _mm256_and_si256(_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(row(low_half[index])), low),
                            _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(row(high_half[index])), high));
  };
  const auto at = [&](const char* from) __attribute__((target("avx2"))) {
    return _mm256_and_si256(place(from, 0), _mm256_and_si256(place(from, 1), place(from, 2)));
  };
  __m256i seen = at(text + bytes - wide_bytes);
  for (std::size_t from = 0; from + wide_bytes <= bytes; from += wide_step) seen = _mm256_or_si256(seen, at(text + from));
  return _mm_or_si128(_mm256_castsi256_si128(seen), _mm256_extracti128_si256(seen, 1));
}

constexpr std::size_t verified_bytes_max = 64;  // longer text is looked at closely anyway
constexpr std::size_t step = 14;                // a beginning of three bytes fits into a block of 16 at 14 places
#endif

}  // namespace

Triggers triggers_in(std::string_view text) {
  const std::size_t bytes = text.size();
  if (bytes < 3) return 0;
#if defined(__SSE4_1__)
  __m128i seen;
  if (bytes < 16) {
    seen = block(load_short(text.data(), bytes));
  } else if (bytes >= wide_bytes && has_wide) {
    seen = wide_blocks(text.data(), bytes);
  } else {
    seen = _mm_setzero_si128();
    const auto at = [&](std::size_t from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + from)); };
    for (std::size_t from = 0; from + 16 <= bytes; from += step) seen = _mm_or_si128(seen, block(at(from)));
    seen = _mm_or_si128(seen, block(at(bytes - 16)));
  }
  if (_mm_testz_si128(seen, seen) != 0) return 0;
  if (bytes <= verified_bytes_max) return triggers_slowly(text);  // half bytes say yes too often
  std::uint64_t folded = static_cast<std::uint64_t>(_mm_cvtsi128_si64(seen)) | static_cast<std::uint64_t>(_mm_extract_epi64(seen, 1));
  folded |= folded >> 32;
  folded |= folded >> 16;
  folded |= folded >> 8;
  return static_cast<Triggers>(folded);
#else
  return triggers_slowly(text);
#endif
}

bool word_begins(std::string_view text, std::size_t at) {
  return at + 3 <= text.size() && (beginning_at(text.data() + at) & word_triggers) != 0;
}

bool is_run_byte(char byte) { return in_run(byte); }

bool has_run(std::string_view text) {
  const char* const begin_of_text = text.data();  // asked of most values: no bounds are checked twice
  const char* const end_of_text = begin_of_text + text.size();
  const char* unseen = begin_of_text;  // bytes before it belong to no run that still counts
  while (end_of_text - unseen >= static_cast<std::ptrdiff_t>(run_bytes_min)) {
    const char* const last = unseen + run_bytes_min - 1;
    const char* begin = last + 1;
    while (begin > unseen && in_run(begin[-1])) --begin;
    if (begin == unseen) return true;  // the 20 bytes are a run
    unseen = begin;                    // begin[-1] is none, and what follows may begin one
  }
  return false;
}

}  // namespace portcullis::policy::rule
