// Words and what they promise: does a name (of an environment variable, a flag, a key) say that a credential follows, and is
// the value that follows really one, or only a reference, a placeholder or a switch?
#pragma once

#include <cstddef>
#include <string_view>

namespace portcullis::policy::rule {

inline constexpr std::size_t name_bytes_max = 128;  // of longer names the last bytes are read: the words that matter come last

enum class NameMeaning {
  innocent,    // "PGHOST", "resourceVersion"
  about,       // of a credential, but names, places or bounds it: "DB_PASSWORD_FILE", "secretName", "tokenTtl"
  credential,  // "EDI_PASSWORD", "apiKey", "--db_password", "admin_passwd"
};

// Words are told apart by separators and by case. Of a qualified name (prefix/name) the part after the last slash is read.
NameMeaning meaning_of(std::string_view name);

// A credential as far as the name goes, and `value` is a literal that could be one. Not: empty, a placeholder as a whole
// ($(NAME), ${NAME}, {{ .Values.x }}, ENC[...]), a switch (true, none), a path, a mask (****), the name of an object where
// the name asks for one (existingSecret).
bool is_credential(std::string_view name, std::string_view value);

// Nothing but placeholders, save for a few bytes between them.
bool is_placeholder(std::string_view value);

}  // namespace portcullis::policy::rule
