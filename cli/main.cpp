#include <iostream>

#include "cli/run.hpp"

int main(int argc, char** argv) { return portcullis::cli::run(argc, argv, std::cin, std::cout, std::cerr); }
