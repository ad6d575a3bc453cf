# Flags that every target of ours gets: warnings as errors, the hardening of a program that strangers talk to, sanitizers.
add_library(portcullis_options INTERFACE)
target_compile_options(portcullis_options INTERFACE -Wall -Wextra -Wpedantic -Werror)
if(PORTCULLIS_SANITIZE STREQUAL "thread")
  target_compile_options(portcullis_options INTERFACE -Wno-tsan)  # Asio 1.81's fences
endif()

# simdjson's own code inlined into ours wants SSE4.2 and carry-less multiply: every x86-64 server since 2010 has both.
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  target_compile_options(portcullis_options INTERFACE -march=x86-64-v2 -mpclmul)
endif()

target_compile_definitions(portcullis_options INTERFACE $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=3>)
target_compile_definitions(portcullis_options INTERFACE _GLIBCXX_ASSERTIONS)
target_compile_options(portcullis_options INTERFACE -fstack-protector-strong -fstack-clash-protection -fcf-protection)
target_compile_options(portcullis_options INTERFACE -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
target_link_options(portcullis_options INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)

if(PORTCULLIS_SANITIZE)
  target_compile_options(portcullis_options INTERFACE -fsanitize=${PORTCULLIS_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all -U_FORTIFY_SOURCE)
  target_link_options(portcullis_options INTERFACE -fsanitize=${PORTCULLIS_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(portcullis_options INTERFACE -Wno-maybe-uninitialized  # g++ 12 finds one in its own <regex> then,
      -Wno-mismatched-new-delete)  # and takes the frames of Asio's coroutines for allocated otherwise
  elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    target_compile_options(portcullis_options INTERFACE -fno-sanitize=function)  # clang 14 cannot place its data beside a coroutine
  endif()
endif()

# ccache where it is installed, unless the caller says otherwise (an empty launcher: none).
find_program(ccache_program ccache)
if(ccache_program AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ccache_program} CACHE STRING "")
endif()
find_program(mold_program mold)
if(mold_program)
  target_link_options(portcullis_options INTERFACE -fuse-ld=mold)
endif()
