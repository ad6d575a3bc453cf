// The one door to Catch2 (2.13 on Debian 12); tests stay with what Catch2 2 and 3 share.
#pragma once

#include <catch2/catch.hpp>
